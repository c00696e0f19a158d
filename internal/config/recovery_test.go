package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// emergency is a valid file in which everything can be rotated.
const emergency = `version: 1
environment: test
recovery:
  signers: signers
  second_person_for: [rotate-database]
aws:
  - name: main
    act: {role_arn: 'arn:aws:iam::111122223333:role/act'}
  - name: west
vaults:
  - {name: v1, act: {token_file: token}}
kubernetes:
  - {name: apps, act: {context: act}}
components:
  - id: sm
    name: SM
    plane: service
    secrets_manager:
      account: main
      secrets:
        - id: db
          rotation:
            database:
              strategy: alternating
              admin: admin
              emergency: super
              poolers:
                - {name: pool, host: pool.example.com, secret: admin}
              vault_role: {cluster: v1, role: app}
            copies:
              - {account: west}
              - {cluster: v1, path: secret/db}
              - {kubernetes: apps, object: prod/db, keys: {password: password}}
              - {kubernetes: apps, object: prod/ext, external_secret: true}
        - {id: admin, type: database}
        - {id: super, type: database}
        - id: key
          type: api_key
          rotation:
            api_key:
              provider: Acme
              create: {method: POST, url: 'https://acme.example.com/keys', headers: {Authorization: 'Bearer ${secret:admin:password}'}, body: '{"name":"${name}"}', value: key, id: id}
              probe: {url: 'https://acme.example.com/me', headers: {X-Api-Key: '${key}'}}
              list: {url: 'https://acme.example.com/keys', items: keys, id: id}
              last_used: {url: 'https://acme.example.com/keys/${key_id}', time: used}
              revoke: {method: DELETE, url: 'https://acme.example.com/keys/${key_id}'}
              dependents: [second]
              backup: {secret: sealed}
              help: {contact: '+1 555 0100', ticket: 'https://acme.example.com/help'}
        - {id: second, type: api_key}
        - {id: sealed, type: api_key}
  - id: vault
    name: Vault
    plane: state
    vault:
      cluster: v1
      secrets:
        - id: kv/app/db
          rotation:
            database: {valid_for: 720h}
  - id: pg
    name: PG
    plane: state
    postgres: {host: db.example.com, secret: db, monitor: kv/app/db}
  - id: one
    name: One
    plane: service
    application: {secrets: [db]}
  - id: two
    name: Two
    plane: service
    application: {secrets: [key], restart_after: [one]}
  - id: lb
    name: LB
    plane: edge
    balancer:
      endpoints:
        - address: a.example.com:443
          certificate: a.crt
          key: a.key
          rotation:
            acme: {directory: 'https://acme.example.com/dir', account_key: acme.key, listen: ':80', email: ops@example.com}
            test: [nginx, -t]
            reload: [nginx, -s, reload]
        - address: b.example.com:443
          rotation:
            vault: {cluster: v1, role: web}
            names: [b.example.com, 192.0.2.1]
            cluster: apps
            object: prod/tls
            account: main
            acm: arn:aws:acm:us-east-1:111122223333:certificate/abc
`

func TestRecovery(t *testing.T) {
	c, err := Parse("/etc/w/s.yaml", []byte(emergency))
	if err != nil {
		t.Fatal(err)
	}
	if c.Recovery.Signers != "/etc/w/signers" || c.Vaults[0].Act.TokenFile != "/etc/w/token" {
		t.Errorf("files are not resolved: %q %q", c.Recovery.Signers, c.Vaults[0].Act.TokenFile)
	}
	if r := c.Recovery; r.Idle != 15*time.Minute || r.Soak != 30*time.Second || r.Concurrency != 4 || r.Rollout != 10*time.Minute || r.Replay != 2*time.Minute {
		t.Errorf("defaults of recovery: %+v", r)
	}
	db := c.Components[0].SecretsManager.Secrets[0].Rotation.Database
	if db.Length != 40 || db.Username != "username" || db.Password != "password" || db.Poolers[0].Port != 6432 || db.Static.Mount != "database" {
		t.Errorf("defaults of a database rotation: %+v", db)
	}
	topology := c.Topology()
	kept, ok := topology.Secret("kv/app/db")
	if !ok || kept.Store != "vault" || kept.Name != "kv/app/db" {
		t.Errorf("the secret of Vault in the topology: %+v, %v", kept, ok)
	}
}

// Each case changes one thing of a valid file. The problems begin with the text that
// stands where they point.
func TestRecoveryMistakes(t *testing.T) {
	for name, one := range map[string]struct{ old, new, want string }{
		"no signers":                 {"  signers: signers\n", ``, `second_person_for: [rotate-database] | recovery.second_person_for: nobody may sign: signers is missing; expected an OpenSSH allowed_signers file`},
		"procedure":                  {`[rotate-database]`, `[Rotate]`, `Rotate] | recovery.second_person_for[0]: found "Rotate"; expected the name of a procedure; for example rotate-database`},
		"act role":                   {`role_arn: 'arn:aws:iam::111122223333:role/act'`, `role_arn: act`, `act} | aws[0].act.role_arn: found "act"; expected the ARN of a role, for example arn:aws:iam::123456789012:role/warroom-act`},
		"act nobody":                 {`{role_arn: 'arn:aws:iam::111122223333:role/act'}`, `{}`, `act: {} | aws[0].act: names no identity; expected profile, shared_files or role_arn`},
		"act context":                {`act: {context: act}`, `act: {}`, `act: {}} | kubernetes[0].act: names no identity; expected context or kubeconfig`},
		"act token":                  {`act: {token_file: token}`, `act: {}`, `act: {}} | vaults[0].act.token_file: missing; expected file that holds the token for changes`},
		"both":                       {"            copies:\n", "            api_key: {provider: x, probe: {url: 'https://x'}}\n            copies:\n", "rotation: | components[0].secrets_manager.secrets[0].rotation: has database and api_key; expected one of them\napi_key: {provider: x, probe: {url: 'https://x'}} | components[0].secrets_manager.secrets[0].rotation.api_key: the secret's type is database; expected api_key or token"},
		"nothing":                    {"            database: {valid_for: 720h}\n", "            copies: []\n", `rotation: | components[1].vault.secrets[0].rotation: says nothing; expected database or api_key, or copies`},
		"kind of a database":         {"        - id: db\n", "        - id: db\n          type: token\n", `database: | components[0].secrets_manager.secrets[0].rotation.database: the secret's type is token; expected database`},
		"kind of a key":              {"          type: api_key\n          rotation:", "          type: certificate\n          rotation:", `api_key: | components[0].secrets_manager.secrets[3].rotation.api_key: the secret's type is certificate; expected api_key or token`},
		"admin":                      {"              admin: admin\n", ``, `database: | components[0].secrets_manager.secrets[0].rotation.database: admin is missing; expected the id of a stored secret of a role that may change the user's password, which the alternating strategy needs`},
		"admin itself":               {"admin: admin\n", "admin: db\n", `db | components[0].secrets_manager.secrets[0].rotation.database.admin: is the secret itself; expected another one`},
		"admin of a kind":            {"admin: admin\n", "admin: sealed\n", `sealed | components[0].secrets_manager.secrets[0].rotation.database.admin: "sealed" is of type api_key; expected one of type database`},
		"emergency":                  {`emergency: super`, `emergency: supper`, `supper | components[0].secrets_manager.secrets[0].rotation.database.emergency: no stored secret is called "supper"; did you mean "super"?`},
		"clone":                      {`strategy: alternating`, `clone: db2`, `db2 | components[0].secrets_manager.secrets[0].rotation.database.clone: is for the alternating strategy alone; expected strategy: alternating, or no clone`},
		"fields":                     {`strategy: alternating`, "strategy: alternating\n              password_field: username", `username | components[0].secrets_manager.secrets[0].rotation.database.password_field: is the field of the user as well; expected another one`},
		"served by nobody":           {`secret: db, monitor: kv/app/db`, `secret: db`, `database: {valid_for: 720h} | components[1].vault.secrets[0].rotation.database: no postgres component uses "kv/app/db"; expected one whose secret or monitor it is, on which the password is changed`},
		"length":                     {`strategy: alternating`, "strategy: alternating\n              length: 16", `16 | components[0].secrets_manager.secrets[0].rotation.database.length: found 16; expected 32 to 128`},
		"pooler":                     {`- {name: pool, host: pool.example.com, secret: admin}`, "- {name: pool, host: pool.example.com, secret: admins}\n                - {name: pool, host: 'a b', secret: admin}", "admins} | components[0].secrets_manager.secrets[0].rotation.database.poolers[0].secret: no stored secret is called \"admins\"; did you mean \"admin\"?\npool, host: 'a b', secret: admin} | components[0].secrets_manager.secrets[0].rotation.database.poolers[1].name: \"pool\" is the name of another pooler, in line 28; expected a name of its own\n'a b', secret: admin} | components[0].secrets_manager.secrets[0].rotation.database.poolers[1].host: is not a host; expected a host name or address"},
		"static role":                {`vault_role: {cluster: v1,`, `vault_role: {cluster: v2,`, `v2, role: app} | components[0].secrets_manager.secrets[0].rotation.database.vault_role.cluster: no Vault cluster is called "v2"; did you mean "v1"?`},
		"two places":                 {`- {account: west}`, `- {account: west, cluster: v1, path: secret/db}`, `{account: west, cluster: v1, path: secret/db} | components[0].secrets_manager.secrets[0].rotation.copies[0]: expected exactly one of account, cluster and kubernetes`},
		"no place":                   {`- {account: west}`, `- {secret: db}`, `{secret: db} | components[0].secrets_manager.secrets[0].rotation.copies[0]: expected exactly one of account, cluster and kubernetes`},
		"copy of nowhere":            {`- {account: west}`, `- {account: wset}`, `wset} | components[0].secrets_manager.secrets[0].rotation.copies[0].account: no AWS account is called "wset"; did you mean "west"?`},
		"copy itself":                {`- {account: west}`, `- {account: main}`, `{account: main} | components[0].secrets_manager.secrets[0].rotation.copies[0]: is the secret itself; expected another place`},
		"copy twice":                 {`- {account: west}`, "- {account: west}\n              - {account: west, secret: db}", `{account: west, secret: db} | components[0].secrets_manager.secrets[0].rotation.copies[1]: the same place is in line 31 already`},
		"copy path":                  {`path: secret/db}`, `path: secret}`, `secret} | components[0].secrets_manager.secrets[0].rotation.copies[1].path: found "secret"; expected MOUNT/PATH of a KV version 2 secret, for example secret/prod/db`},
		"copy data path":             {`path: secret/db}`, `path: secret/data/db}`, `secret/data/db} | components[0].secrets_manager.secrets[0].rotation.copies[1].path: found "secret/data/db"; expected MOUNT/PATH as people write it, without data/ or metadata/`},
		"copy pending":               {`path: secret/db}`, `path: secret/db.warroom-pending}`, `secret/db.warroom-pending} | components[0].secrets_manager.secrets[0].rotation.copies[1].path: found "secret/db.warroom-pending"; expected the secret itself: what ends in .warroom-pending is kept there while it is rotated`},
		"copy without path":          {`{cluster: v1, path: secret/db}`, `{cluster: v1}`, `{cluster: v1} | components[0].secrets_manager.secrets[0].rotation.copies[1]: path is missing, which a copy with cluster needs`},
		"copy object":                {`object: prod/db,`, `object: db,`, `db, keys: {password: password}} | components[0].secrets_manager.secrets[0].rotation.copies[2].object: found "db"; expected namespace/name`},
		"keys elsewhere":             {`- {account: west}`, `- {account: west, keys: {a: b}}`, `keys: {a: b}} | components[0].secrets_manager.secrets[0].rotation.copies[0].keys: belongs to a copy with kubernetes; expected that, or no keys`},
		"keys of an external secret": {`external_secret: true`, `external_secret: true, keys: {a: b}`, `keys: {a: b}} | components[0].secrets_manager.secrets[0].rotation.copies[3].keys: is for a Secret that is written; an ExternalSecret says itself which keys it makes`},
		"create":                     {`, value: key, id: id}`, `}`, `create: {method: POST, url: 'https://acme.example.com/keys', headers: {Authorization: 'Bearer ${secret:admin:password}'}, body: '{"name":"${name}"}'} | components[0].secrets_manager.secrets[3].rotation.api_key.create: does not say where the new key is; expected value and id, the JSON fields of the answer that hold the key and its id`},
		"list":                       {`items: keys, id: id`, `items: keys`, `list: {url: 'https://acme.example.com/keys', items: keys} | components[0].secrets_manager.secrets[3].rotation.api_key.list: does not say where the keys are; expected items and id, the JSON fields of the answer that hold the list and the id in each`},
		"last used":                  {`, time: used}`, `}`, `last_used: {url: 'https://acme.example.com/keys/${key_id}'} | components[0].secrets_manager.secrets[3].rotation.api_key.last_used: does not say where the time is; expected time, the JSON field of the answer`},
		"value in a URL":             {`acme.example.com/me'`, `acme.example.com/me?k=${key}'`, `'https://acme.example.com/me?k=${key}', headers: {X-Api-Key: '${key}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.url: has the value ${key} in a URL, which everybody on the way logs; expected ${key_id} or ${name} alone; put it into a header`},
		"secret in a URL":            {`acme.example.com/me'`, `acme.example.com/${secret:admin:password}'`, `'https://acme.example.com/${secret:admin:password}', headers: {X-Api-Key: '${key}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.url: has the value ${secret:admin:password} in a URL, which everybody on the way logs; expected ${key_id} or ${name} alone; put it into a header`},
		"placeholder":                {`'${key}'}}`, `'${keyid}'}}`, `'${keyid}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.headers.X-Api-Key: has the unknown ${keyid}; expected ${key_id} or ${name}, and in headers and body ${key} or ${secret:ID:FIELD}; did you mean "key_id"?`},
		"placeholder open":           {`'${key}'}}`, `'${key'}}`, `'${key'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.headers.X-Api-Key: has a ${ that does not end; expected }`},
		"placeholder field":          {`${secret:admin:password}`, `${secret:admin}`, `'Bearer ${secret:admin}'}, body: '{"name":"${name}"}', value: key, id: id} | components[0].secrets_manager.secrets[3].rotation.api_key.create.headers.Authorization: has a ${secret:…} without a field; expected ${secret:ID:FIELD}`},
		"placeholder secret":         {`${secret:admin:password}`, `${secret:adnim:password}`, `'Bearer ${secret:adnim:password}'}, body: '{"name":"${name}"}', value: key, id: id} | components[0].secrets_manager.secrets[3].rotation.api_key.create.headers.Authorization: no stored secret is called "adnim"; declared are db, admin, super, key, second, sealed, kv/app/db`},
		"value in a header":          {`'${key}'}}`, `'canary'}}`, `'canary'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.headers.X-Api-Key: holds a value; expected ${key} or ${secret:ID:FIELD} in its place: secrets are named, not written; if this was a real one, rotate it`},
		"header":                     {`X-Api-Key:`, `X Api Key:`, `'${key}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.headers["X Api Key"]: found "X Api Key"; expected the name of an HTTP header`},
		"plain":                      {`'https://acme.example.com/me'`, `'http://acme.example.com/me'`, `'http://acme.example.com/me', headers: {X-Api-Key: '${key}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.url: is http to another machine, where the key would travel in clear; expected https://`},
		"password in a URL":          {`'https://acme.example.com/me'`, `'https://u:canary@acme.example.com/me'`, `'https://u:canary@acme.example.com/me', headers: {X-Api-Key: '${key}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.url: the URL holds a user or password before its host; expected a URL without; secrets are named, not written; if this was a real one, rotate it`},
		"codes":                      {`probe: {`, `probe: {ok: [99], `, `99], url: 'https://acme.example.com/me', headers: {X-Api-Key: '${key}'}} | components[0].secrets_manager.secrets[3].rotation.api_key.probe.ok[0]: found 99; expected an HTTP status, 100 to 599`},
		"field of id":                {"provider: Acme\n", "provider: Acme\n              id_field: api_key\n", `api_key | components[0].secrets_manager.secrets[3].rotation.api_key.id_field: is the field of the key as well; expected another one`},
		"dependents":                 {`dependents: [second]`, `dependents: [second, second, key, db]`, "second, key, db] | components[0].secrets_manager.secrets[3].rotation.api_key.dependents[1]: \"second\" is listed already\nkey, db] | components[0].secrets_manager.secrets[3].rotation.api_key.dependents[2]: is the secret itself; expected another one\ndb] | components[0].secrets_manager.secrets[3].rotation.api_key.dependents[3]: \"db\" is of type database; expected one of type api_key or token"},
		"backup":                     {`backup: {secret: sealed}`, `backup: {secret: admin}`, `admin} | components[0].secrets_manager.secrets[3].rotation.api_key.backup.secret: "admin" is of type database; expected one of type api_key or token`},
		"ticket":                     {`ticket: 'https://acme.example.com/help'`, `ticket: acme.example.com`, `acme.example.com} | components[0].secrets_manager.secrets[3].rotation.api_key.help.ticket: is not an http or https URL; expected http:// or https:// and a host`},
		"id in Vault":                {`- id: kv/app/db`, `- id: kv`, "kv | components[1].vault.secrets[0].id: found \"kv\"; expected MOUNT/PATH of a KV version 2 secret, for example secret/prod/db\ndatabase: {valid_for: 720h} | components[1].vault.secrets[0].rotation.database: no postgres component uses \"kv\"; expected one whose secret or monitor it is, on which the password is changed\nkv/app/db} | components[2].postgres.monitor: no stored secret is called \"kv/app/db\"; declared are db, admin, super, key, second, sealed, kv"},
		"after nobody":               {`restart_after: [one]`, `restart_after: [pg]`, `pg]} | components[4].application.restart_after[0]: no application is called "pg"; declared are one, two`},
		"after itself":               {`restart_after: [one]`, `restart_after: [two]`, `restart_after: [two]} | components[4].application.restart_after: leads round in a circle: two after two; expected an order that has a first one`},
		"circle":                     {`application: {secrets: [db]}`, `application: {secrets: [db], restart_after: [two]}`, `restart_after: [two]} | components[3].application.restart_after: leads round in a circle: one after two after one; expected an order that has a first one`},
		"two issuers":                {`            names: [b`, "            self_signed: true\n            names: [b", `rotation: | components[5].balancer.endpoints[1].rotation: expected exactly one of vault, acme and self_signed`},
		"no issuer":                  {"            vault: {cluster: v1, role: web}\n", ``, `rotation: | components[5].balancer.endpoints[1].rotation: expected exactly one of vault, acme and self_signed`},
		"issuer":                     {`vault: {cluster: v1, role: web}`, `vault: {cluster: v3, role: web}`, `v3, role: web} | components[5].balancer.endpoints[1].rotation.vault.cluster: no Vault cluster is called "v3"; did you mean "v1"?`},
		"challenge":                  {`listen: ':80'`, `listen: ':80', webroot: www`, `acme: {directory: 'https://acme.example.com/dir', account_key: acme.key, listen: ':80', webroot: www, email: ops@example.com} | components[5].balancer.endpoints[0].rotation.acme: expected exactly one of webroot and listen, to answer the challenge`},
		"no challenge":               {`listen: ':80', `, ``, `acme: {directory: 'https://acme.example.com/dir', account_key: acme.key, email: ops@example.com} | components[5].balancer.endpoints[0].rotation.acme: expected exactly one of webroot and listen, to answer the challenge`},
		"listen":                     {`listen: ':80'`, `listen: '80'`, `'80', email: ops@example.com} | components[5].balancer.endpoints[0].rotation.acme.listen: found "80"; expected an address to listen at, for example :80`},
		"email":                      {`email: ops@example.com`, `email: ops`, `ops} | components[5].balancer.endpoints[0].rotation.acme.email: is not an address; expected name@host`},
		"directory":                  {`'https://acme.example.com/dir'`, `acme.example.com`, `acme.example.com, account_key: acme.key, listen: ':80', email: ops@example.com} | components[5].balancer.endpoints[0].rotation.acme.directory: is not an http or https URL; expected http:// or https:// and a host`},
		"names":                      {`names: [b.example.com,`, `names: [b_example..com,`, `b_example..com, 192.0.2.1] | components[5].balancer.endpoints[1].rotation.names[0]: found "b_example..com"; expected a DNS name or an address`},
		"command line":               {`test: [nginx, -t]`, `test: [nginx -t]`, `nginx -t] | components[5].balancer.endpoints[0].rotation.test[0]: found "nginx -t"; expected the command alone, its arguments as words of their own: it is run without a shell; for example [nginx, -t]`},
		"empty word":                 {`reload: [nginx, -s, reload]`, `reload: [nginx, ' ']`, `' '] | components[5].balancer.endpoints[0].rotation.reload[1]: is empty; expected command that makes the server read its files again, as a list of words; it is run without a shell`},
		"two reloads":                {"            test: [nginx, -t]\n", "            reload_unit: nginx.service\n", `nginx.service | components[5].balancer.endpoints[0].rotation.reload_unit: there are two ways to reload, reload and reload_unit; expected one`},
		"object":                     {`object: prod/tls`, `object: tls`, `tls | components[5].balancer.endpoints[1].rotation.object: found "tls"; expected namespace/name of a kubernetes.io/tls Secret`},
		"object without cluster":     {"            cluster: apps\n            object", `            object`, `prod/tls | components[5].balancer.endpoints[1].rotation.object: says no cluster; expected cluster beside it`},
		"acm":                        {`acm: arn:aws:acm:us-east-1:111122223333:certificate/abc`, `acm: abc`, `abc | components[5].balancer.endpoints[1].rotation.acm: found "abc"; expected the ARN of an ACM certificate`},
		"acm without account":        {"            account: main\n            acm", `            acm`, `arn:aws:acm:us-east-1:111122223333:certificate/abc | components[5].balancer.endpoints[1].rotation.acm: says no account; expected account beside it`},
		"no key":                     {"          key: a.key\n", ``, `rotation: | components[5].balancer.endpoints[0].rotation: the new private key has no file; expected key beside certificate of the endpoint, or combined`},
		"no place for a certificate": {"            object: prod/tls\n            account: main\n            acm: arn:aws:acm:us-east-1:111122223333:certificate/abc\n", ``, "rotation: | components[5].balancer.endpoints[1].rotation: the new certificate has no place; expected certificate and key of the endpoint, combined, object or acm\napps | components[5].balancer.endpoints[1].rotation.cluster: says no object; expected object beside it"},
		"reload of nothing":          {`            names: [b`, "            reload: [nginx]\n            names: [b", `rotation: | components[5].balancer.endpoints[1].rotation: has a server tested or reloaded of which no file changes; expected certificate and key of the endpoint, or combined`},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(emergency, one.old) {
				t.Fatalf("%q is not in the file", one.old)
			}
			text := strings.Replace(emergency, one.old, one.new, 1)
			_, err := Parse("s.yaml", []byte(text))
			var typed *Error
			if !errors.As(err, &typed) {
				t.Fatalf("the error is %v", err)
			}
			var got []string
			for _, p := range typed.Problems {
				line := strings.Split(text, "\n")[p.Line-1][p.Column-1:]
				_, said, _ := strings.Cut(p.String(), ": ")
				got = append(got, line+" | "+said)
			}
			if all := strings.Join(got, "\n"); all != one.want {
				t.Errorf("got\n%s\nwant\n%s", all, one.want)
			}
			if strings.Contains(typed.Error(), "canary") {
				t.Error("the error quotes a value")
			}
		})
	}
}
