package panes

import (
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"security group sg-0c3d4e5f607182930 of function x":            "security group [id] of function x",
		"groupId sg-0c3d4e5f607182930, fromPort 5432":                  "groupId [id], fromPort 5432",
		"Secondary 1637032e-4291-b24e-fb58-8e999024ea2b is 45s behind": "Secondary [id] is 45s behind",
		"version 1637032e":         "version 1637032e",
		"msg-queue":                "msg-queue",
		"/var/log/vault/audit.log": "/var/log/vault/audit.log",
		"15 days ago":              "15 days ago",
		"account 111122223333":     "account [account]",
		"111122223333":             "[account]",
		"id-111122223333/x":        "id-[account]/x",
		"1111222233334":            "1111222233334",
		"2,847":                    "2,847",
		"65.7%":                    "65.7%",
		"12:30:45 UTC":             "12:30:45 UTC",
		"1.5s, took 130ms":         "1.5s, took 130ms",
		"prod/db/postgres":         "prod/db/postgres",
		"SELECT rolvaliduntil FROM pg_catalog.pg_roles":            "SELECT rolvaliduntil FROM pg_catalog.pg_roles",
		"pg_authid.rolpassword":                                    "pg_authid.rolpassword",
		"warroom.yaml":                                             "warroom.yaml",
		"DescribeSecret at secretsmanager.eu-west-1.amazonaws.com": "DescribeSecret at [host]",
		"arn:aws:lambda:eu-west-1:111122223333:function:rotate-db": "[arn]",
		"calls (arn:aws-us-gov:iam::111122223333:role/x), then":    "calls ([arn]), then",
		"role=arn:aws:iam::111122223333:role/x":                    "role=[arn]",
		"db.company.com:5432":                                      "[host]",
		"SCRAM login at db.company.com:5432.":                      "SCRAM login at [host].",
		"no answer from db.company.com":                            "no answer from [host]",
		"dial tcp 10.0.4.17:8080: connection refused":              "dial tcp [address]: connection refused",
		"10.0.4.17":               "[address]",
		"10.0.0.0/16":             "[address]",
		"[::1]:5432":              "[address]",
		"fe80::1":                 "[address]",
		"2001:db8::8a2e:370:7334": "[address]",
		"localhost:5432":          "[host]",
		"db-1:5432":               "[host]",
		"GET https://api.company.com/health?key=1":    "GET [url]",
		"postgres://app_user@db.company.com:5432/app": "[url]",
		"url=https://x/y":                                  "url=[url]",
		"oncall@company.com":                               "oncall@[host]",
		"CN=api.company.com":                               "CN=[host]",
		"/etc/ssl/certs/api.company.com.crt":               "/etc/ssl/certs/[host]",
		"*.company.com":                                    "[host]",
		"host=db.company.com user=app":                     "host=[host] user=app",
		"lookup db.company.com: no such host":              "lookup [host]: no such host",
		"111122223333.dkr.ecr.eu-west-1.amazonaws.com/app": "[host]/app",
		"vault.internal:8200, vault-2.internal:8200":       "[host], [host]",
		"secretsmanager:GetSecretValue":                    "secretsmanager:GetSecretValue",
		"28P01":                                            "28P01",
		"shop.xn--p1ai":                                    "[host]",
		"[fe80::1%eth0]:80 fe80::1%eth0":                   "[address] [address]",
		"[2001:db8::1]":                                    "[address]",
		"a.b":                                              "a.b",
		"münchen.example.de":                               "[host]",
		// Times are no hosts, and hosts are no times.
		"2026-11-23T15:07:35.030Z START RequestId": "2026-11-23T15:07:35.030Z START RequestId",
		"at=2026-11-23T15:07:35+00:00,":            "at=2026-11-23T15:07:35+00:00,",
		"[2026-11-23t15:07Z]":                      "[2026-11-23t15:07Z]",
		"2026/11/23 15:07:35.123456 x":             "2026/11/23 15:07:35.123456 x",
		"2026-11-23T15:07.db.company.com":          "2026-11-23T15:[host]",
		"T+0:14:12, PHASE 1 ASSESS 3:12 / 5:00":    "T+0:14:12, PHASE 1 ASSESS 3:12 / 5:00",
		"lookup db1: no such host":                 "lookup [host]: no such host",
		"failed to connect to host=db1 user=app":   "failed to connect to host=[host] user=app",
		"10.0.4.17:5432 (db1): dial error":         "[address] ([host]): dial error",
		"db.company.com (expired)":                 "[host] ([host])",
		"db.company.com expired (2 of 3)":          "[host] expired (2 of 3)",
		"dial unix, localhost refused":             "dial unix, [host] refused",
	} {
		if got := Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, s := range []string{"db.company.com:5432", "arn:aws:iam::111122223333:role/x", "[::1]:5432", "a:b:c", "://", "[", "]:", "@", "1:2:3:4:5:6:7:8", ":::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, pair := range [][2]string{{"db.company.com:5432", ""}, {"111122223333", ""}, {"arn:aws:kms:eu-west-1:111122223333:key/abc", ""}, {"https://api.company.com/x", ""}} {
			secret := pair[0]
			if got := Mask(s + " " + secret + " " + s); strings.Contains(got, secret) && !strings.Contains(s, secret) {
				t.Fatalf("Mask lets %q through: %q", secret, got)
			}
		}
	})
}

func TestShareModeMasksEveryPane(t *testing.T) {
	f := Frame{Width: 220, Height: 90, Theme: themeOf(t, "no-color"), Now: now}
	hidden := []string{"company.com", "111122223333", "amazonaws.com", "10.0.4.17", "203.0.113.10", "arn:aws", "api.external.com"}
	open := text(everything(f, guide()))
	for _, h := range hidden {
		if !strings.Contains(open, h) {
			t.Errorf("without share mode %q is not on screen, so that this test says nothing of it", h)
		}
	}
	f.Share = true
	shut := text(everything(f, guide()))
	for _, h := range hidden {
		if strings.Contains(shut, h) {
			t.Errorf("share mode shows %q", h)
		}
	}
	for _, keep := range []string{"prod/db/postgres", "PostgreSQL Primary", "app_user"} {
		if !strings.Contains(shut, keep) {
			t.Errorf("share mode hides %q, which the bridge needs", keep)
		}
	}
}
