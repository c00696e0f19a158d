package awssim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const (
	tokenA = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
	tokenB = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
	tokenC = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
)

// stagesOf shows which version has which labels: "AWSCURRENT=aaaa …".
func stagesOf(r *rig, id string) string {
	s, _ := r.Secret(id)
	var out []string
	for _, v := range s.Versions {
		for _, l := range v.Stages {
			out = append(out, strings.TrimPrefix(l, "AWS")+"="+v.ID[:1])
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func rotating(r *rig) *secretsmanager.Client {
	r.AddFunction(Function{Name: "rotate", Policy: r.InvokePolicy("rotate")})
	r.AddSecret(Secret{
		Name: "prod/db/postgres", RotationLambda: "rotate", RotateAfterDays: 30, Tags: map[string]string{"team": "data"},
		LastRotated: r.now().AddDate(0, 0, -45), NextRotation: r.now().AddDate(0, 0, -15),
		Versions: []Version{{ID: tokenA, Value: `{"password":"old"}`, Stages: []string{current}}},
	})
	return secretsmanager.NewFromConfig(r.cfg)
}

func TestReadSecret(t *testing.T) {
	r := newRig(t)
	c := rotating(r)
	r.AddSecret(Secret{Name: "blob", Versions: []Version{{Binary: []byte{0, 255, 1}, Stages: []string{current}}}})
	full, _ := r.Secret("prod/db/postgres")
	for _, id := range []string{"prod/db/postgres", full.ARN, full.ARN[:len(full.ARN)-7]} {
		d := must(c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &id}))(t)
		if !*d.RotationEnabled || *d.ARN != full.ARN || *d.RotationRules.AutomaticallyAfterDays != 30 || !d.NextRotationDate.Before(time.Now()) ||
			d.LastAccessedDate != nil || *d.RotationLambdaARN != r.FunctionARN("rotate") || len(d.VersionIdsToStages[tokenA]) != 1 {
			t.Fatalf("%s: %+v", id, d)
		}
	}
	v := must(c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &full.ARN}))(t)
	if *v.SecretString != `{"password":"old"}` || *v.VersionId != tokenA {
		t.Fatal("wrong value")
	}
	d := must(c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: &full.Name}))(t)
	if want := time.Now().UTC().Truncate(24 * time.Hour); d.LastAccessedDate == nil || !d.LastAccessedDate.Equal(want) {
		t.Fatalf("last accessed %v, want %v", d.LastAccessedDate, want)
	}
	if v := must(c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("blob")}))(t); string(v.SecretBinary) != "\x00\xff\x01" || v.SecretString != nil {
		t.Fatalf("binary: %v", v.SecretBinary)
	}
	for name, tc := range map[string]struct {
		in        secretsmanager.GetSecretValueInput
		code, msg string
	}{
		"label":    {secretsmanager.GetSecretValueInput{SecretId: &full.Name, VersionStage: aws.String(pending)}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: AWSPENDING"},
		"version":  {secretsmanager.GetSecretValueInput{SecretId: &full.Name, VersionId: aws.String(tokenB)}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: " + tokenB},
		"mismatch": {secretsmanager.GetSecretValueInput{SecretId: &full.Name, VersionId: aws.String(tokenA), VersionStage: aws.String(pending)}, "InvalidRequestException", "not associated"},
		"secret":   {secretsmanager.GetSecretValueInput{SecretId: aws.String("none")}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
		"arn":      {secretsmanager.GetSecretValueInput{SecretId: aws.String(full.ARN[:len(full.ARN)-1] + "0")}, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."},
	} {
		if _, err := c.GetSecretValue(t.Context(), &tc.in); code(err) != tc.code || !strings.Contains(err.Error(), tc.msg) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ids := []string{"prod/db/postgres", "none", "blob"}
	b := must(c.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: ids}))(t)
	if len(b.SecretValues) != 2 || len(b.Errors) != 1 || *b.Errors[0].ErrorCode != "ResourceNotFoundException" {
		t.Fatalf("%+v", b)
	}
	if _, err := c.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: slices.Repeat(ids, 7)}); code(err) != "ValidationException" {
		t.Fatalf("21 ids: %v", err)
	}
}

func TestKeyOfSecret(t *testing.T) {
	r := newRig(t)
	r.AddKey(Key{ID: "k1", Alias: "alias/prod"})
	r.AddSecret(Secret{Name: "a", KMSKey: "alias/prod", Versions: []Version{{Value: "x", Stages: []string{current}}}})
	c := secretsmanager.NewFromConfig(r.cfg)
	get := func() error {
		_, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("a")})
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	p := Permission{Action: "kms:Decrypt"}
	r.Deny(testKey, p)
	if err := get(); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "Access to KMS is not allowed") {
		t.Fatal(err)
	}
	r.Permit(testKey, p)
	r.AddKey(Key{ID: "k1", Alias: "alias/prod", State: "Disabled"})
	if err := get(); code(err) != "DecryptionFailure" {
		t.Fatal(err)
	}
	if _, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("y")}); code(err) != "EncryptionFailure" {
		t.Fatal(err)
	}
}

func TestLabels(t *testing.T) {
	r := newRig(t)
	c := rotating(r)
	id := aws.String("prod/db/postgres")
	put := func(token, value string, stages ...string) error {
		_, err := c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: id, ClientRequestToken: &token, SecretString: &value, VersionStages: stages})
		return err
	}
	move := func(label, from, to string) error {
		in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: id, VersionStage: &label}
		if from != "" {
			in.RemoveFromVersionId = &from
		}
		if to != "" {
			in.MoveToVersionId = &to
		}
		_, err := c.UpdateSecretVersionStage(t.Context(), in)
		return err
	}
	for _, s := range []struct {
		name string
		do   func() error
		code string
		want string
	}{
		{"put pending", func() error { return put(tokenB, "new", pending) }, "<nil>", "CURRENT=a PENDING=b"},
		{"again", func() error { return put(tokenB, "new", pending) }, "<nil>", "CURRENT=a PENDING=b"},
		{"other value", func() error { return put(tokenB, "other", pending) }, "ResourceExistsException", "CURRENT=a PENDING=b"},
		{"move without from", func() error { return move(current, "", tokenB) }, "InvalidParameterException", "CURRENT=a PENDING=b"},
		{"remove current", func() error { return move(current, tokenA, "") }, "InvalidParameterException", "CURRENT=a PENDING=b"},
		{"wrong from", func() error { return move(current, tokenB, tokenA) }, "InvalidParameterException", "CURRENT=a PENDING=b"},
		{"unknown version", func() error { return move(current, tokenA, tokenC) }, "ResourceNotFoundException", "CURRENT=a PENDING=b"},
		{"finish", func() error { return move(current, tokenA, tokenB) }, "<nil>", "CURRENT=b PENDING=b PREVIOUS=a"},
		{"finish again", func() error { return move(current, "", tokenB) }, "<nil>", "CURRENT=b PENDING=b PREVIOUS=a"},
		{"drop pending", func() error { return move(pending, tokenB, "") }, "<nil>", "CURRENT=b PREVIOUS=a"},
		{"roll back", func() error { return move(current, tokenB, tokenA) }, "<nil>", "CURRENT=a PREVIOUS=b"},
		{"own label", func() error { return move("MINE", "", tokenB) }, "<nil>", "CURRENT=a MINE=b PREVIOUS=b"},
		{"new current", func() error { return put(tokenC, "third") }, "<nil>", "CURRENT=c MINE=b PREVIOUS=a"},
		{"short token", func() error { return put("short", "x") }, "InvalidParameterException", "CURRENT=c MINE=b PREVIOUS=a"},
		{"too large", func() error { return put(tokenC, strings.Repeat("x", maxValue+1)) }, "ValidationException", "CURRENT=c MINE=b PREVIOUS=a"},
	} {
		if err := s.do(); code(err) != s.code || stagesOf(r, *id) != s.want {
			t.Errorf("%s: %v, %s; want %s, %s", s.name, err, stagesOf(r, *id), s.code, s.want)
		}
	}
}

// template behaves as a rotation function does: each step once, on labels.
func template(t *testing.T, c *secretsmanager.Client, failAt *string) func(string, []byte) error {
	return func(_ string, event []byte) error {
		var e struct{ Step, SecretId, ClientRequestToken string }
		if err := json.Unmarshal(event, &e); err != nil {
			return err
		}
		if e.Step == *failAt {
			return errors.New(e.Step + ": Unable to log into database with previous, current, or pending secret")
		}
		ctx := t.Context()
		switch e.Step {
		case "createSecret":
			_, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &e.SecretId, VersionId: &e.ClientRequestToken, VersionStage: aws.String(pending)})
			var missing *types.ResourceNotFoundException
			if err == nil || !errors.As(err, &missing) {
				return err
			}
			_, err = c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &e.SecretId, ClientRequestToken: &e.ClientRequestToken, SecretString: aws.String("new"), VersionStages: []string{pending}})
			return err
		case "finishSecret":
			v, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &e.SecretId})
			if err != nil {
				return err
			}
			_, err = c.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: &e.SecretId, VersionStage: aws.String(current), RemoveFromVersionId: v.VersionId, MoveToVersionId: &e.ClientRequestToken})
			return err
		}
		return nil
	}
}

func TestRotation(t *testing.T) {
	r := newRig(t)
	c := rotating(r)
	fail := "setSecret"
	r.OnInvoke(template(t, c, &fail))
	id := aws.String("prod/db/postgres")
	rotate := func(token string) error {
		_, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: id, ClientRequestToken: &token})
		r.Wait()
		return err
	}
	if err := rotate(tokenB); err != nil || stagesOf(r, *id) != "CURRENT=a PENDING=b" {
		t.Fatalf("a failing rotation: %v, %s", err, stagesOf(r, *id))
	}
	s, _ := r.Secret(*id)
	if !s.NextRotation.Before(time.Now()) || s.RotationCancelled {
		t.Fatalf("after a failure: %+v", s)
	}
	if err := rotate(tokenC); code(err) != "InvalidRequestException" || !strings.Contains(err.Error(), "A previous rotation isn't complete. That rotation will be reattempted.") {
		t.Fatalf("while stuck: %v", err)
	}
	fail = ""
	if err := rotate(tokenC); err == nil || stagesOf(r, *id) != "CURRENT=b PENDING=b PREVIOUS=a" {
		t.Fatalf("reattempted: %v, %s", err, stagesOf(r, *id))
	}
	s, _ = r.Secret(*id)
	if time.Since(s.LastRotated) > time.Minute || !s.NextRotation.After(time.Now().AddDate(0, 0, 29)) {
		t.Fatalf("after a success: last %s, next %s", s.LastRotated, s.NextRotation)
	}
	if err := rotate(tokenC); err != nil || stagesOf(r, *id) != "CURRENT=c PENDING=c PREVIOUS=b" {
		t.Fatalf("both labels on one version are success: %v, %s", err, stagesOf(r, *id))
	}
	if err := rotate(tokenC); err != nil || stagesOf(r, *id) != "CURRENT=c PENDING=c PREVIOUS=b" {
		t.Fatalf("the same request again: %v, %s", err, stagesOf(r, *id))
	}
	// Cancelling stops the schedule and leaves the labels.
	must(c.CancelRotateSecret(t.Context(), &secretsmanager.CancelRotateSecretInput{SecretId: id}))(t)
	d := must(c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: id}))(t)
	if d.RotationEnabled != nil && *d.RotationEnabled || d.NextRotationDate != nil || d.RotationLambdaARN == nil {
		t.Fatalf("cancelled: %+v", d)
	}
	r.AddFunction(Function{Name: "rotate"})
	if err := rotate(tokenA[:35] + "1"); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "cannot invoke the specified Lambda function") {
		t.Fatalf("no permission to invoke: %v", err)
	}
	r.AddSecret(Secret{Name: "plain"})
	if _, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("plain")}); !strings.Contains(fmt.Sprint(err), "No Lambda rotation function ARN is associated with this secret.") {
		t.Fatal(err)
	}
}

// TestEmptyPending: a function that never stores a value leaves an empty
// version, and a manual new value abandons the rotation.
func TestEmptyPending(t *testing.T) {
	r := newRig(t)
	c := rotating(r)
	fail := "createSecret"
	r.OnInvoke(template(t, c, &fail))
	id := aws.String("prod/db/postgres")
	must(c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: id, ClientRequestToken: aws.String(tokenB)}))(t)
	r.Wait()
	if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id, VersionStage: aws.String(pending)}); code(err) != "ResourceNotFoundException" {
		t.Fatal(err)
	}
	if _, err := c.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: id, VersionStage: aws.String(current), RemoveFromVersionId: aws.String(tokenA), MoveToVersionId: aws.String(tokenB)}); code(err) != "InvalidRequestException" {
		t.Fatalf("an empty version must not become current: %v", err)
	}
	must(c.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: id, SecretString: aws.String("manual"), ClientRequestToken: aws.String(tokenC)}))(t)
	if got := stagesOf(r, *id); got != "CURRENT=c PREVIOUS=a" {
		t.Fatal(got)
	}
}

func TestDeletion(t *testing.T) {
	ck := &clock{t: time.Now()}
	r := newRig(t, func(o *Options) { o.Clock = ck.now })
	c := rotating(r)
	id := aws.String("prod/db/postgres")
	before, _ := r.Secret(*id)
	if _, err := c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(3)}); code(err) != "InvalidParameterException" {
		t.Fatal(err)
	}
	must(c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7)}))(t)
	const marked = "because it was marked for deletion"
	if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id}); code(err) != "InvalidRequestException" || !strings.Contains(err.Error(), marked) {
		t.Fatal(err)
	}
	if d := must(c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: id}))(t); d.DeletedDate == nil {
		t.Fatal("no date of deletion")
	}
	if l := must(c.ListSecrets(t.Context(), nil))(t); len(l.SecretList) != 0 {
		t.Fatal("listed")
	}
	if l := must(c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true)}))(t); len(l.SecretList) != 1 {
		t.Fatal("not listed")
	}
	if _, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: id}); code(err) != "InvalidRequestException" {
		t.Fatal(err)
	}
	must(c.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: id}))(t)
	must(c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: id}))(t)
	must(c.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: id, ForceDeleteWithoutRecovery: aws.Bool(true)}))(t)
	made := must(c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: id, SecretString: aws.String("x"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	if *made.ARN == before.ARN || made.VersionId == nil {
		t.Fatalf("made anew: %+v", made)
	}
	if _, err := c.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: id}); code(err) != "ResourceExistsException" {
		t.Fatal(err)
	}
	r.AddSecret(Secret{Name: "old", Deleted: ck.now().AddDate(0, 0, -8), RecoveryDays: 7})
	if _, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("old")}); code(err) != "ResourceNotFoundException" {
		t.Fatalf("past its window: %v", err)
	}
}

func TestInventory(t *testing.T) {
	pace := &clock{t: time.Now()}
	r := newRig(t, func(o *Options) { o.Pace = func() time.Time { pace.add(time.Second); return pace.now() } }) // no quota in the way
	for i := range 3000 {
		r.AddSecret(Secret{
			Name: fmt.Sprintf("prod/svc-%04d/db", i), Created: time.Unix(1_600_000_000+int64(i%700), 0), RotateAfterDays: i % 2 * 30,
			Tags: map[string]string{"tier": fmt.Sprint(i % 3)}, Versions: []Version{{Value: "x", Stages: []string{current}}},
		})
	}
	c := secretsmanager.NewFromConfig(r.cfg)
	for _, in := range []*secretsmanager.ListSecretsInput{
		{}, {SortOrder: "asc"}, {SortBy: "name", SortOrder: "desc"}, {SortBy: "last-accessed-date"},
	} {
		seen, pages, enabled := map[string]bool{}, 0, 0
		var names []string
		for p := secretsmanager.NewListSecretsPaginator(c, in); p.HasMorePages(); pages++ {
			for _, s := range must(p.NextPage(t.Context()))(t).SecretList {
				seen[*s.Name] = true
				names = append(names, *s.Name)
				if s.RotationEnabled != nil && *s.RotationEnabled {
					enabled++
				}
			}
		}
		if len(seen) != 3000 || len(names) != 3000 || pages != 30 || enabled != 1500 {
			t.Fatalf("%+v: %d names, %d distinct, %d pages, %d rotating", in, len(names), len(seen), pages, enabled)
		}
		if in.SortBy == "name" && !slices.IsSortedFunc(names, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Fatal("not in order")
		}
	}
	for name, tc := range map[string]struct {
		key  types.FilterNameStringType
		vals []string
		want int
	}{
		"name": {"name", []string{"prod/svc-00"}, 100}, "not": {"name", []string{"!prod/svc-0"}, 2000}, "tag": {"tag-value", []string{"1"}, 1000},
		"either": {"name", []string{"prod/svc-0001", "prod/svc-0002"}, 2}, "none": {"description", []string{"x"}, 0},
	} {
		n := 0
		in := &secretsmanager.ListSecretsInput{Filters: []types.Filter{{Key: tc.key, Values: tc.vals}}}
		for p := secretsmanager.NewListSecretsPaginator(c, in); p.HasMorePages(); {
			n += len(must(p.NextPage(t.Context()))(t).SecretList)
		}
		if n != tc.want {
			t.Errorf("%s: %d, want %d", name, n, tc.want)
		}
	}
	if _, err := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{NextToken: aws.String("made up")}); code(err) != "InvalidNextTokenException" {
		t.Fatal(err)
	}
	if _, err := c.ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(101)}); code(err) != "ValidationException" {
		t.Fatal(err)
	}
}

func TestDeterministic(t *testing.T) {
	one, two, other := New(Options{Seed: 1}), New(Options{Seed: 1}), New(Options{Seed: 2})
	for _, s := range []*Sim{one, two, other} {
		s.AddSecret(Secret{Name: "a", Versions: []Version{{Value: "x"}}})
	}
	a, _ := one.Secret("a")
	b, _ := two.Secret("a")
	c, _ := other.Secret("a")
	if a.ARN != b.ARN || a.Versions[0].ID != b.Versions[0].ID || a.ARN == c.ARN {
		t.Fatalf("%s %s %s", a.ARN, b.ARN, c.ARN)
	}
}

func TestSchedules(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC) // a Sunday
	for expression, want := range map[string]string{
		"rate(4 hours)":          "2026-03-01T14:30:00Z",
		"rate(10 days)":          "2026-03-11T23:59:59Z",
		"cron(0 8 1 * ? *)":      "2026-04-01T08:00:00Z",
		"cron(0 */6 ? * * *)":    "2026-03-01T12:00:00Z",
		"cron(0 16 L * ? *)":     "2026-03-31T16:00:00Z",
		"cron(0 16 ? * MON#1 *)": "2026-03-02T16:00:00Z",
		"cron(0 16 ? * 6L *)":    "2026-03-27T16:00:00Z",
		"cron(0 1 ? JAN SUN *)":  "2027-01-03T01:00:00Z",
	} {
		if got := (&secret{Secret: Secret{Schedule: expression}}).next(at).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", expression, got, want)
		}
		if err := (&rotationRules{ScheduleExpression: expression}).check(); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
	for _, bad := range []string{"rate(1 hours)", "rate(x days)", "cron(5 8 1 * ? *)", "cron(0 8 1 * ?)", "cron(0 99 1 * ? *)", "daily", "rate(1000 days)"} {
		if (&rotationRules{ScheduleExpression: bad}).check() == nil {
			t.Errorf("%s: accepted", bad)
		}
	}
}
