"""What we are compared with: servers that do less (ceilings) and the stack that comes to mind first."""
