# What is mounted, who may log in, what is recorded, how the nodes stand.
path "sys/mounts"                       { capabilities = ["read"] }
path "sys/auth"                         { capabilities = ["read"] }
path "sys/audit"                        { capabilities = ["read", "sudo"] }
path "sys/ha-status"                    { capabilities = ["read"] }
path "sys/storage/raft/autopilot/state" { capabilities = ["read"] }

# How many secrets there are, by their names. One line for each KV mount of version 2 ...
path "secret/metadata/*"   { capabilities = ["list"] }
path "platform/metadata/*" { capabilities = ["list"] }
path "payments/metadata/*" { capabilities = ["list"] }

# ... and of version 1, where list is all there is: with read it would give the values.
path "legacy/*" { capabilities = ["list"] }

# When Vault last rotated each static role. One line for each database mount; static-creds/, with the passwords, is left out.
path "database/static-roles/*" { capabilities = ["list", "read"] }
