"""Making a bundle's artefacts: corpus, exits, traces, policy, calibration. Never imported by the server."""
