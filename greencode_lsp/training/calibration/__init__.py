"""From an allowed quality loss to a policy's threshold, with a stated confidence."""
