package store

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"warroom/actions"
	"warroom/internal/clients"
	"warroom/internal/config"
)

// A replica that Secrets Manager keeps by itself is told apart when a plan is made: it
// takes no value, and would say so only once the database has changed.
func TestAReplicaIsNoCopyThatCanBeWritten(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "fake")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	for _, c := range []struct {
		home, says string
	}{{"", ""}, {"eu-west-1", ""}, {"us-east-1", "us-east-1"}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			_, _ = fmt.Fprintf(w, `{"ARN":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3","Name":"db","PrimaryRegion":%q,"VersionIdsToStages":{"v1":["AWSCURRENT"]}}`, c.home)
		}))
		cfg := &config.Config{AWS: []config.AWSAccount{{Name: "west", Region: "eu-west-1", Endpoint: server.URL}}}
		read, act := clients.New(cfg), clients.NewActing(cfg)
		all := Copies(actions.Systems{Config: cfg, Read: read, Act: act}, &config.StoredSecret{ID: "db", Rotation: &config.Rotation{Copies: []config.Copy{{Account: "west"}}}})
		_, err := all[0].Look(t.Context())
		var no *actions.Refusal
		if errors.As(err, &no) != (c.says != "") || c.says != "" && (!strings.Contains(no.Why, c.says) || no.Next == "") {
			t.Errorf("primary region %q: %v", c.home, err)
		}
		read.Close()
		act.Close()
		server.Close()
	}
}
