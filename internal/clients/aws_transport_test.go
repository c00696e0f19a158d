package clients

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"

	"warroom/internal/config"
)

type capture struct{ req *http.Request }

func (c *capture) Do(r *http.Request) (*http.Response, error) {
	c.req = r
	return &http.Response{Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

// selfWriting is a body as the SDK makes them: one that can write itself.
type selfWriting struct{ *strings.Reader }

func (selfWriting) Close() error { return nil }

func TestABodyIsNotAskedToWriteItself(t *testing.T) {
	var sent capture
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", selfWriting{strings.NewReader("text")})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := req.Body.(io.WriterTo); !ok {
		t.Fatal("the test's body cannot write itself, so it proves nothing")
	}
	if _, err := (&bounded{client: &sent, call: func(*http.Request) Call { return Call{} }}).Do(req); err != nil {
		t.Fatal(err)
	}
	if _, ok := sent.req.Body.(io.WriterTo); ok {
		t.Error("net/http would let the body write itself")
	}
	if text, _ := io.ReadAll(sent.req.Body); string(text) != "text" {
		t.Errorf("the body reads %q", text)
	}
}

func TestOperationsThatAWSCountsTogetherShareAPace(t *testing.T) {
	p := newPacer(nil)
	if p.limiter("GetFunctionConfiguration") != p.limiter("GetFunctionConcurrency") {
		t.Error("two Lambda control plane calls have a pace each")
	}
	if p.limiter("GetFunctionConfiguration") == p.limiter("GetPolicy") {
		t.Error("GetPolicy has a quota of its own")
	}
}

// Two regions of one account look for the events of IAM in the same place, and
// share its quota; other accounts and regions have their own.
func TestLookupsOfOneAccountShareAPace(t *testing.T) {
	set := New(&config.Config{})
	defer set.Close()
	role := func(account string) config.AWSAccount {
		return config.AWSAccount{Name: account + "x", RoleARN: "arn:aws:iam::" + account + ":role/read", Profile: "p" + account}
	}
	first := set.lookups(role("1"), "us-east-1")
	other := role("1")
	other.Region, other.RoleARN, other.Profile = "eu-west-1", "arn:aws:iam::1:role/other", "q"
	if set.lookups(other, "us-east-1") != first {
		t.Error("two roles of one account have a pace each")
	}
	for name, l := range map[string]*rate.Limiter{
		"region": set.lookups(role("1"), "eu-west-1"), "account": set.lookups(role("2"), "us-east-1"),
		"profile": set.lookups(config.AWSAccount{Profile: "p"}, "us-east-1"), "endpoint": set.lookups(config.AWSAccount{RoleARN: "arn:aws:iam::1:role/read", Endpoint: "http://x"}, "us-east-1"),
	} {
		if l == first {
			t.Errorf("another %s shares the pace", name)
		}
	}
	if first.Limit() >= 2 || first.Burst() != 1 {
		t.Errorf("%v lookups a second, %d at once; AWS allows 2", first.Limit(), first.Burst())
	}
	a, err := set.AWS("none")
	if a != nil || err == nil {
		t.Error("an account that is not configured has clients")
	}
}

// A call that waits for its turn is not cut off for having waited, and is for
// getting no answer.
func TestAttemptsAreBoundedFromTheirTurn(t *testing.T) {
	p := newPacer(rate.NewLimiter(rate.Every(300*time.Millisecond), 1))
	stack := middleware.NewStack("test", func() any { return struct{}{} })
	retry := middleware.FinalizeMiddlewareFunc("Retry", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		return next.HandleFinalize(ctx, in)
	})
	if err := stack.Finalize.Add(retry, middleware.After); err != nil {
		t.Fatal(err)
	}
	if err := p.install(stack); err != nil {
		t.Fatal(err)
	}
	var left time.Duration
	handler := middleware.DecorateHandler(middleware.HandlerFunc(func(ctx context.Context, _ any) (any, middleware.Metadata, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return nil, middleware.Metadata{}, nil
	}), stack)
	ctx := WithinEach(awsmiddleware.SetOperationName(t.Context(), lookupEvents), 200*time.Millisecond)
	for range 3 {
		if _, _, err := handler.Handle(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if left < 100*time.Millisecond || left > 200*time.Millisecond {
			t.Errorf("%s left for the attempt, want 200ms from its turn", left)
		}
	}
}

func TestWhereGlobalServicesAreRecorded(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "us-east-1", "us-east-1": "us-east-1", "cn-northwest-1": "cn-north-1", "us-gov-east-1": "us-gov-west-1", "us-iso-west-1": "us-iso-east-1", "us-isob-east-1": "us-isob-east-1",
	} {
		if got := GlobalRegion(region); got != want {
			t.Errorf("%s: %s, want %s", region, got, want)
		}
	}
}
