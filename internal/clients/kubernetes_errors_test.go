package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"warroom/internal/config"
	"warroom/internal/estate"
)

func TestKubernetesFailures(t *testing.T) {
	k := kubernetesOf(t, config.KubernetesCluster{})
	k.set.net.Register("CANARY-bearer-token")
	pods := schema.GroupResource{Resource: "pods"}
	for name, x := range map[string]struct {
		err  error
		kind estate.FailureKind
	}{
		"forbidden":         {apierrors.NewForbidden(pods, "", errors.New("CANARY-bearer-token may not")), estate.Denied},
		"unauthorized":      {apierrors.NewUnauthorized("who"), estate.NoIdentity},
		"no such kind":      {apierrors.NewNotFound(pods, ""), estate.NotSupported},
		"too many requests": {apierrors.NewTooManyRequests("later", 1), estate.Throttled},
		"timeout":           {apierrors.NewTimeoutError("slow", 1), estate.Silent},
		"server timeout":    {apierrors.NewServerTimeout(pods, "list", 1), estate.Silent},
		"internal error":    {apierrors.NewInternalError(errors.New("etcd")), estate.OutOfReach},
		"a proxy's page":    {apierrors.NewGenericServerResponse(502, "get", pods, "", "<html>", 0, true), estate.OutOfReach},
		"refused":           {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, estate.OutOfReach},
		"no answer":         {fmt.Errorf("list: %w", context.DeadlineExceeded), estate.Silent},
		"name not found":    {&net.DNSError{Err: "no such host", Name: "k"}, estate.Unresolved},
		"plugin":            {errors.New(`Get "https://k": getting credentials: exec: executable aws failed with exit code 255`), estate.NoIdentity},
		"ours already":      {&estate.Failure{Kind: estate.Misconfigure, Detail: "no file"}, estate.Misconfigure},
	} {
		t.Run(name, func(t *testing.T) {
			f := k.Failure(fmt.Errorf("wrapped: %w", x.err), "list pods")
			if f.Kind != x.kind || f.Doing == "" || strings.Contains(f.Error(), "CANARY") {
				t.Errorf("got %v, want kind %q", f, x.kind)
			}
			if f.Kind.Status() != estate.Unknown {
				t.Errorf("%v reads %s, though it says nothing of what runs there", f, f.Kind.Status())
			}
		})
	}
	if k.Failure(nil, "x") != nil {
		t.Error("no error is a failure")
	}
}

// An API server, or what stands in its place, that answers without end.
func TestKubernetesAnswersAreBounded(t *testing.T) {
	forever := strings.Repeat(" ", 64<<10)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for {
			if _, err := io.WriteString(w, forever); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	transport := &kubernetesTransport{next: server.Client().Transport, call: (&Kubernetes{}).call}
	for query, most := range map[string]int64{"": kubernetesLimits.bytes, "?watch=true": watchedObject} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if !errors.Is(err, errTooLarge) || n > most+int64(len(forever)) {
			t.Errorf("%q: %d bytes were read, then %v; want at most %d", query, n, err, most)
		}
	}
}

// A watch may run for ever, as long as each event is small.
func TestAWatchIsBoundedByEvent(t *testing.T) {
	line := strings.Repeat("x", 1<<20) + "\n"
	body := &watchedBody{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat(line, 20)))}
	if n, err := io.Copy(io.Discard, body); err != nil || n != int64(20*len(line)) {
		t.Errorf("%d bytes, %v", n, err)
	}
}
