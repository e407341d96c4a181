"""Tags that are presented at stations."""

import pytest
from django.db import transaction

from id_tags.models import IdTagGroup, UnknownIdTag
from id_tags.services.presented_tags import authorize_presented, lock_presented
from tests.support.factories import NOON, make_id_tag, make_station

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("judge", [authorize_presented, lock_presented])
def test_unknown_tag_is_invalid_and_counted(judge):
    station = make_station()
    for _ in range(2):
        assert judge(id_tag=" Nobody ", station_id=station.pk, now=NOON).status == "Invalid"
    row = UnknownIdTag.objects.get()
    assert (row.id_tag_folded, row.count, row.station_id, row.last_seen_at) == ("nobody", 2, station.pk, NOON)


@pytest.mark.parametrize("judge", [authorize_presented, lock_presented])
@pytest.mark.parametrize("status", ["Accepted", "Blocked"])
def test_known_tag_is_judged_and_not_counted(judge, status):
    tag = make_id_tag("TAG", status=status)
    authorization = judge(id_tag="tag", station_id=make_station().pk, now=NOON)
    assert (authorization.status, authorization.tag_id) == (status, tag.pk)
    assert not UnknownIdTag.objects.exists()


def test_group_that_limits_is_locked_with_its_tag(django_assert_num_queries):
    make_id_tag("TAG", group=IdTagGroup.objects.create(parent_id_tag="FLEET", max_active_transactions=2))
    station = make_station()
    with transaction.atomic(), django_assert_num_queries(2):
        authorization = lock_presented(id_tag="TAG", station_id=station.pk, now=NOON)
    assert (authorization.limit, authorization.parent_id_tag) == (2, "FLEET")
