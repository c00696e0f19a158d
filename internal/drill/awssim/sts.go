package awssim

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

func stsOperations() []operation {
	who := define("sts", "GetCallerIdentity", getCallerIdentity)
	who.free = true // AWS answers it even when a policy denies it
	return []operation{who, define("sts", "AssumeRole", assumeRole)}
}

// principalID is the unique id behind a name: deterministic, in AWS's alphabet.
func (s *Sim) principalID(prefix, name string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	d := s.digest("principal", prefix, name)
	b := []byte(prefix)
	for _, x := range d[:17] {
		b = append(b, alphabet[x%32])
	}
	return string(b)
}

func getCallerIdentity(c *call, _ *struct{}) (any, *apiError) {
	arn := c.who.Principal
	id := c.sim.principalID("AIDA", arn)
	// arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	if _, role, ok := strings.Cut(arn, ":assumed-role/"); ok {
		name, session, _ := strings.Cut(role, "/")
		id = c.sim.principalID("AROA", name) + ":" + session
	}
	return struct{ UserId, Account, Arn string }{id, c.sim.account, arn}, nil
}

type assumeRoleInput struct {
	RoleArn, RoleSessionName string
	DurationSeconds          *int
}

type stsCredentials struct {
	AccessKeyId, SecretAccessKey, SessionToken string
	Expiration                                 time.Time
}

type assumeRoleOutput struct {
	Credentials      stsCredentials
	AssumedRoleUser  struct{ AssumedRoleId, Arn string }
	PackedPolicySize int
}

func assumeRole(c *call, in *assumeRoleInput) (any, *apiError) {
	if in.RoleArn == "" || in.RoleSessionName == "" {
		return nil, errf("ValidationError", "1 validation error detected: Value null at 'roleArn' or 'roleSessionName' failed to satisfy constraint: Member must not be null")
	}
	life := time.Hour
	if in.DurationSeconds != nil {
		life = time.Duration(*in.DurationSeconds) * time.Second
	}
	if life < 15*time.Minute || life > 12*time.Hour {
		return nil, errf("ValidationError", "1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200", *in.DurationSeconds)
	}
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	role, ok := s.roles[in.RoleArn]
	if !ok || in.RoleArn != s.roleARN(role.Name) {
		return nil, statusf(403, "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.who.Principal, in.RoleArn)
	}
	d := s.digest("session", s.next(), in.RoleArn, in.RoleSessionName)
	arn := "arn:aws:sts::" + s.account + ":assumed-role/" + role.Name + "/" + in.RoleSessionName
	var out assumeRoleOutput
	out.Credentials = stsCredentials{
		AccessKeyId:     s.principalID("ASIA", hex.EncodeToString(d[:]))[:20],
		SecretAccessKey: base64.StdEncoding.EncodeToString(d[:30]),
		SessionToken:    "IQoJ" + base64.StdEncoding.EncodeToString(append(d[:], d[:]...)),
		Expiration:      s.now().Add(life).Truncate(time.Second),
	}
	out.AssumedRoleUser.AssumedRoleId = s.principalID("AROA", role.Name) + ":" + in.RoleSessionName
	out.AssumedRoleUser.Arn = arn
	s.creds[out.Credentials.AccessKeyId] = newCredential(Credential{
		SecretKey: out.Credentials.SecretAccessKey, SessionToken: out.Credentials.SessionToken,
		Expires: out.Credentials.Expiration, Principal: arn, Allow: role.Allow, Deny: role.Deny,
	})
	return out, nil
}
