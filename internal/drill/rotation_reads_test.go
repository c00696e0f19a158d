package drill

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"warroom/internal/config"
)

// readersOf opens a scenario and looks up who read secrets within the last hour,
// as SESSION ADDRESS CODE.
func readersOf(t *testing.T, name string) []string {
	t.Helper()
	w, err := Open(name, Options{Dir: t.TempDir(), Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- w.Serve(t.Context()) }()
	t.Cleanup(func() {
		if err := errors.Join(w.Close(), <-served); err != nil {
			t.Errorf("the world did not end well: %v", err)
		}
	})
	<-w.Ready()
	c, err := config.Parse("warroom.yaml", w.Config())
	if err != nil {
		t.Fatal(err)
	}
	if c.Drill != name {
		t.Fatalf("the configuration is of %q", c.Drill)
	}
	for _, s := range c.Components {
		if s.SecretsManager == nil {
			continue
		}
		for _, one := range s.SecretsManager.Secrets {
			if len(one.Readers) == 0 {
				t.Errorf("nobody said who may read %s", one.ID)
			}
		}
	}
	client := cloudtrail.NewFromConfig(awsConfig(w))
	out, err := client.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{
		LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: cttypes.LookupAttributeKeyEventName, AttributeValue: aws.String("GetSecretValue")}},
		StartTime:        aws.Time(time.Now().Add(-time.Hour)),
	}, func(o *cloudtrail.Options) { o.RetryMaxAttempts = 20 })
	if err != nil || len(out.Events) < 20 {
		t.Fatalf("%d reads, %v", len(out.Events), err)
	}
	var all []string
	for _, e := range out.Events {
		text := aws.ToString(e.CloudTrailEvent)
		if aws.ToTime(e.EventTime).After(time.Now()) {
			t.Errorf("a read of the future: %s", text)
		}
		_, from, _ := strings.Cut(text, `"sourceIPAddress":"`)
		from, _, _ = strings.Cut(from, `"`)
		code := "read"
		if strings.Contains(text, "AccessDenied") {
			code = "refused"
		}
		all = append(all, aws.ToString(e.Username)+" "+from+" "+code)
	}
	return all
}

func TestReadersAreKnown(t *testing.T) {
	all := readersOf(t, "db-rotation")
	for _, one := range all {
		if !strings.Contains(one, " 10.20.") {
			t.Errorf("%s is a stranger", one)
		}
	}
	for _, want := range []string{functionName + " 10.20.4.17 read", "monthly 10.20.9.4 refused"} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is missing in %q", want, all)
		}
	}
}

func TestAStrangerReadsTheKey(t *testing.T) {
	read, refused := 0, 0
	for _, one := range readersOf(t, "compromised-key") {
		switch {
		case one == "payment-service-2 "+stranger+" read":
			read++
		case one == "payment-service-2 "+stranger+" refused":
			refused++
		case !strings.Contains(one, " 10.20."):
			t.Errorf("%s is a second stranger", one)
		}
	}
	if read != len(strangerRead) || refused != 1 {
		t.Errorf("the stranger read %d times and was refused %d times", read, refused)
	}
}

func TestEveryScenarioHasItsAlert(t *testing.T) {
	at := time.Date(2026, 3, 14, 3, 12, 0, 0, time.UTC)
	for _, s := range Scenarios() {
		w, err := Open(s.Name, Options{Dir: t.TempDir(), Clock: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		if before := at.Sub(w.Alert()); before != s.Alert || before < time.Minute || before > 30*time.Minute {
			t.Errorf("%s: the alert was raised %s before", s.Name, before)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
