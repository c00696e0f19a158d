package kubesim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
)

// TestClientCertificates lets in by certificate: its common name is the user, its
// organisations are the groups.
func TestClientCertificates(t *testing.T) {
	b := newBench(t, Options{})
	b.AddUser(User{Name: "reader", Rules: []Rule{{Verbs: []string{"list"}, Groups: []string{""}, Resources: []string{"pods"}}}}, "")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	b.must(err)
	issue := func(name string, groups ...string) tls.Certificate {
		c := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: groups}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		b.must(err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	trusted := map[string]tls.Certificate{"reader": issue("reader"), "somebody": issue("somebody"), "root": issue("root", "system:masters")}
	pool := x509.NewCertPool()
	for _, c := range trusted {
		parsed, err := x509.ParseCertificate(c.Certificate[0])
		b.must(err)
		pool.AddCert(parsed)
	}
	server := httptest.NewUnstartedServer(b.Sim)
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	server.StartTLS()
	defer server.Close()
	for _, test := range []struct {
		who, path string
		want      int
	}{
		{"", "/api/v1/pods", 401}, {"", "/version", 200},
		{"reader", "/api/v1/pods", 200}, {"reader", "/api/v1/nodes", 403}, {"somebody", "/api/v1/pods", 403}, {"root", "/api/v1/nodes", 200},
	} {
		config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		if test.who != "" {
			config.Certificates = []tls.Certificate{trusted[test.who]}
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		res, err := client.Get(server.URL + test.path)
		b.must(err)
		_ = res.Body.Close()
		if res.StatusCode != test.want {
			t.Errorf("%q on %s: %d, want %d", test.who, test.path, res.StatusCode, test.want)
		}
	}
}

// BenchmarkEstate builds 89 Deployments of three replicas with ten revisions each
// and rolls them once more: what a large estate costs the simulation.
func BenchmarkEstate(b *testing.B) {
	for b.Loop() {
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		s := New(Options{Clock: func() time.Time { return at }})
		s.Build()
		if err := s.Apply("bench", secret("x")); err != nil {
			b.Fatal(err)
		}
		for revision := range 10 {
			for i := range 89 {
				d := web(3)
				d.Name = fmt.Sprintf("web-%d", i)
				d.Spec.Selector.MatchLabels = map[string]string{"app": d.Name}
				d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
				d.Spec.Template.Spec.Containers[0].Image = fmt.Sprintf("web:%d", revision)
				if err := s.Apply("bench", d); err != nil {
					b.Fatal(err)
				}
			}
			at = at.Add(5 * time.Minute)
			s.Tick()
		}
		ready := 0
		s.Read("Deployment", "prod", func(o Object) { ready += int(o.(*appsv1.Deployment).Status.ReadyReplicas) })
		if ready != 267 {
			b.Fatalf("%d pods are ready", ready)
		}
	}
}
