package lab

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheTrustedRoleStandsFirst(t *testing.T) {
	var users []string
	for line := range strings.Lines(hbaConf()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		users = append(users, fields[2])
		if method := fields[len(fields)-1]; (method == "trust") != (fields[2] == trustUser) {
			t.Errorf("line %q: only %s may be trusted", line, trustUser)
		}
	}
	trusted, everybody := slices.Index(users, trustUser), slices.Index(users, "all")
	if trusted < 0 || everybody < trusted {
		t.Errorf("users in the order %v: the first line that fits decides", users)
	}
}

func TestServerConf(t *testing.T) {
	conf := serverConf("/tmp/it's", 21000)
	for _, want := range []string{"port = 21000\n", "ssl_cert_file = '/tmp/it''s/server.pem'\n", "unix_socket_directories = '/tmp/it''s'\n", "hot_standby = on\n"} {
		if !strings.Contains(conf, want) {
			t.Errorf("no %q in\n%s", want, conf)
		}
	}
}

func TestNginxConf(t *testing.T) {
	edge, other := virtualHost{name: "edge", port: 1, certificate: "/e.pem"}, virtualHost{name: "api", port: 2, certificate: "/a.pem"}
	conf := nginxConf("/d", "/d/pid", "root", protected("/p", "KEY"), edge, other)
	if got := strings.Count(conf, "server {"); got != 3 {
		t.Errorf("%d servers, want edge on 1, api on 1 and api on 2\n%s", got, conf)
	}
	for _, want := range []string{"user root;", "listen 127.0.0.1:1 ssl default_server;", "listen 127.0.0.1:1 ssl;", "listen 127.0.0.1:2 ssl default_server;"} {
		if !strings.Contains(conf, want) {
			t.Errorf("no %q in\n%s", want, conf)
		}
	}
	if strings.Count(conf, "location = /p {") != 1 {
		t.Errorf("edge alone serves what is protected\n%s", conf)
	}
	if strings.Contains(nginxConf("/d", "/d/pid", "", "", edge, other), "user ") {
		t.Error("nginx warns of a user that it cannot become")
	}
}

func TestNewestVersion(t *testing.T) {
	path := func(version string) string { return "/usr/lib/postgresql/" + version + "/bin/initdb" }
	tests := []struct {
		versions []string
		want     string
	}{
		{nil, ""},
		{[]string{"9.6", "13"}, ""},
		{[]string{"13", "15"}, "15"},
		{[]string{"17", "9", "15"}, "17"},
	}
	for _, test := range tests {
		var paths []string
		for _, version := range test.versions {
			paths = append(paths, path(version))
		}
		want := ""
		if test.want != "" {
			want = path(test.want)
		}
		if got := newestVersion(paths, 15); got != want {
			t.Errorf("of %v: %q, want %q", test.versions, got, want)
		}
	}
}

func TestDirOwner(t *testing.T) {
	tests := []struct {
		name string
		pid  int
		ok   bool
	}{
		{"/tmp/warroom-lab-123-456", 123, true},
		{"/tmp/warroom-lab-0-456", 0, false},
		{"/tmp/warroom-lab-1-456", 1, false}, // never a lab
		{"/tmp/warroom-lab-x-456", 0, false},
		{"/tmp/warroom-lab-123", 0, false},
		{"/tmp/other", 0, false},
	}
	for _, test := range tests {
		if pid, ok := dirOwner(test.name); ok != test.ok || ok && pid != test.pid {
			t.Errorf("%s: %d, %v", test.name, pid, ok)
		}
	}
}

func TestLastLines(t *testing.T) {
	tests := []struct {
		text string
		n    int
		want string
	}{
		{"", 2, ""}, {"a", 2, "a"}, {"a\nb\nc\n", 2, "b\nc"}, {"a\nb\n", 2, "a\nb"}, {"a\nb", 1, "b"},
	}
	for _, test := range tests {
		if got := lastLines([]byte(test.text), test.n); got != test.want {
			t.Errorf("last %d of %q: %q, want %q", test.n, test.text, got, test.want)
		}
	}
}

func TestPackagesOf(t *testing.T) {
	got := packagesOf([]Requirement{{Packages: []string{"b", "a"}}, {}, {Packages: []string{"b"}}})
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%v", got)
	}
}

func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		port, err := freePort()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port < portLow || port >= portHigh {
			t.Errorf("port %d again or out of range", port)
		}
		seen[port] = true
	}
}

func TestIssue(t *testing.T) {
	dir := t.TempDir()
	ca, err := NewCA(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "c.key")
	now := time.Now()
	if err := ca.Issue(Leaf{Names: []string{"edge.lab.test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}, certificate, key); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
		t.Errorf("the key does not fit: %v", err)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key: %v, %v", info, err)
	}
	text, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool, DNSName: "edge.lab.test"}); err != nil {
		t.Errorf("it does not build to the CA: %v", err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: ca.Pool, DNSName: "other.lab.test"}); err == nil {
		t.Error("it is good for another name")
	}
}
