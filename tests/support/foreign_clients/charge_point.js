// A charge point on npm's ocpp-rpc in strict mode, which checks every frame of both directions against the schemas.
//
//   node charge_point.js session|offline|refused URL IDENTITY ID_TAG [PASSWORD]
//
// Prints one JSON object with the answers; tests/support/foreign_clients/charge_point.py does the same on another library.
'use strict';

const { RPCClient } = require('ocpp-rpc');

const [flow, url, identity, idTag, password] = process.argv.slice(2);
const AN_HOUR_MS = 3_600_000;

function ago(ms) {
    return new Date(Date.now() - ms).toISOString();
}

async function connected(secret = password) {
    const client = new RPCClient({
        endpoint: url.replace(/\/$/, ''),
        identity,
        password: secret,
        protocols: ['ocpp1.6'],
        strictMode: true,
        reconnect: false,
        callTimeoutMs: 20_000,
    });
    client.on('strictValidationFailure', ({ method, error }) => {
        console.error(`${method} breaks the schema: ${error.message} ${JSON.stringify(error.details)}`);
        process.exit(3);
    });
    await client.connect();
    if (client.protocol !== 'ocpp1.6') {
        throw Error(`the subprotocol is ${client.protocol}`);
    }
    return client;
}

function boot(client) {
    return client.call('BootNotification', {
        chargePointVendor: 'Foreign',
        chargePointModel: 'ocpp-rpc',
        chargePointSerialNumber: 'F-1',
        firmwareVersion: '2.2.1',
    });
}

function status(client, connectorId, word) {
    return client.call('StatusNotification', {
        connectorId,
        errorCode: 'NoError',
        status: word,
        timestamp: ago(0),
    });
}

function start(client, meterStart, timestamp) {
    return client.call('StartTransaction', { connectorId: 1, idTag, meterStart, timestamp });
}

function sampled(registerWh, powerW, context = 'Sample.Periodic') {
    return [
        { value: String(registerWh), context, measurand: 'Energy.Active.Import.Register', unit: 'Wh', location: 'Outlet' },
        { value: (powerW / 1000).toFixed(1), context, measurand: 'Power.Active.Import', unit: 'kW' },
        { value: '229.8', context, measurand: 'Voltage', phase: 'L1-N', unit: 'V' },
    ];
}

function meterValues(client, transactionId, registerWh, timestamp) {
    return client.call('MeterValues', {
        connectorId: 1,
        transactionId,
        meterValue: [{ timestamp, sampledValue: sampled(registerWh, 11000) }],
    });
}

function stop(client, transactionId, meterStop, timestamp, reason = 'Local') {
    return client.call('StopTransaction', {
        transactionId,
        idTag,
        meterStop,
        timestamp,
        reason,
        transactionData: [{ timestamp, sampledValue: sampled(meterStop, 0, 'Transaction.End') }],
    });
}

/** A whole session while connected, and after it another connection of the same charge point, without a boot. */
async function session() {
    const answers = {};
    let client = await connected();
    answers.boot = await boot(client);
    answers.status = [await status(client, 0, 'Available'), await status(client, 1, 'Preparing')];
    answers.heartbeat = await client.call('Heartbeat', {});
    answers.authorize = await client.call('Authorize', { idTag });
    answers.start = await start(client, 1000, ago(9_000));
    const id = answers.start.transactionId;
    await status(client, 1, 'Charging');
    answers.meterValues = [];
    for (const [index, registerWh] of [1200, 1400, 1600].entries()) {
        answers.meterValues.push(await meterValues(client, id, registerWh, ago(8_000 - 2_000 * index)));
    }
    answers.dataTransfer = await client.call('DataTransfer', { vendorId: 'Foreign', messageId: 'Hello', data: '{"a":1}' });
    answers.stop = await stop(client, id, 1700, ago(1_000));
    await status(client, 1, 'Finishing');
    await client.close();

    client = await connected();
    answers.statusAfterReconnect = await status(client, 1, 'Available');
    answers.heartbeatAfterReconnect = await client.call('Heartbeat', {});
    await client.close();
    return answers;
}

/** A session whose connection breaks, and one that never had any; both are reported when there is one again. */
async function offline() {
    const answers = {};
    let client = await connected();
    answers.boot = await boot(client);
    answers.broken = await start(client, 1000, ago(3 * AN_HOUR_MS));
    await meterValues(client, answers.broken.transactionId, 2000, ago(2.8 * AN_HOUR_MS));
    await client.close({ force: true });

    client = await connected();
    answers.brokenMeterValues = await meterValues(client, answers.broken.transactionId, 3000, ago(2.6 * AN_HOUR_MS));
    answers.brokenStop = await stop(client, answers.broken.transactionId, 4000, ago(2.5 * AN_HOUR_MS), 'EVDisconnected');
    const began = ago(2 * AN_HOUR_MS);
    answers.replayed = await start(client, 4000, began);
    answers.replayedAgain = await start(client, 4000, began);
    answers.replayedMeterValues = await meterValues(client, answers.replayed.transactionId, 5000, ago(1.5 * AN_HOUR_MS));
    answers.replayedStop = await stop(client, answers.replayed.transactionId, 6000, ago(AN_HOUR_MS));
    await client.close();
    return answers;
}

/** A connection that is not to be had: without a password, and with the one given. */
async function refused() {
    const answers = {};
    for (const [name, secret] of [['withoutPassword', null], ['withPassword', password]]) {
        answers[name] = await connected(secret).then(
            async (client) => { await client.close(); return 101; },
            (error) => error.code,
        );
    }
    return answers;
}

({ session, offline, refused })[flow]().then(
    (answers) => console.log(JSON.stringify(answers)),
    (error) => { console.error(error); process.exit(1); },
);
