"""Files that hold secrets: what the setting `exclude` names by default.

The same in kind as what Zed and Continue leave out by default: environments, keys and credentials.
"""

ENVIRONMENTS = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    ".dev.vars",
    "language:dotenv",
    "language:env",
    "!.env.example",
    "!.env.sample",
    "!.env.template",
    "!.env.dist",
)
"""Variables of an environment; templates of them, which are committed, hold no secrets."""

KEYS = (
    "*.pem",
    "*.key",
    "*.p8",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "*.kdbx",
    "*.ovpn",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "**/.ssh/*",
    "**/.gnupg/*",
)

CREDENTIALS = (
    ".netrc",
    "_netrc",
    ".pgpass",
    "pgpass.conf",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    ".git-credentials",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.yml",
    "credentials.yaml",
    "client_secret*.json",
    "service-account*.json",
    "service_account*.json",
    "secrets.json",
    "secrets.toml",
    "secrets.yml",
    "secrets.yaml",
    "secrets.env",
    "*.tfvars",
    "*.tfvars.json",
    "*.tfstate",
    "*.tfstate.*",
    "kubeconfig",
    "**/.aws/*",
    "**/.docker/config.json",
    "**/.kube/config",
)

SECRET_FILES = (*ENVIRONMENTS, *KEYS, *CREDENTIALS)
"""The default of `exclude`."""
