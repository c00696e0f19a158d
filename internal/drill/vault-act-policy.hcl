# The copies of stored secrets in KV: a new value waits beside the old one, then takes its place by check-and-set.
path "secret/data/prod/*"     { capabilities = ["create", "read", "update", "delete"] }
path "secret/metadata/prod/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "secret/undelete/prod/*" { capabilities = ["update"] }
path "secret/delete/prod/*"   { capabilities = ["update"] }
path "secret/destroy/prod/*"  { capabilities = ["update"] }

# Have Vault itself rotate a static role.
path "database/rotate-role/*"  { capabilities = ["update"] }
path "database/static-roles/*" { capabilities = ["list", "read"] }
path "database/static-creds/*" { capabilities = ["read"] }

# Have a certificate issued by one role of the PKI engine.
path "pki/sign/web" { capabilities = ["update"] }
