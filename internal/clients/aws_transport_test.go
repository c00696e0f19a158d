package clients

import (
	"io"
	"net/http"
	"strings"
	"testing"
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
	if _, err := (&bounded{client: &sent}).Do(req); err != nil {
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
