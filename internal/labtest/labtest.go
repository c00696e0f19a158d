// Package labtest finds the lab's real servers, and the command lines with which
// tests drive the drill's systems as people do.
//
// Its rules:
//
//   - Without the lab (WARROOM_LAB is not set) a test that needs it is skipped,
//     because go test alone needs only Go.
//   - Beside the lab nothing is skipped but what the run left out on purpose: its
//     description lists the peers that are part of the run. One that is part of it
//     and is not described fails the test and says what to do.
//   - The description is written by another module, warroom/lab; its keys are the
//     contract, and a test here reads all of them.
package labtest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// Variable is the environment variable that holds the path of the lab's
// description.
const Variable = "WARROOM_LAB"

// Tool is the path of psql, aws, openssl, vault or kubectl. Without the lab it is
// the one on PATH that runs.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, skip, err := findTool(os.Getenv(Variable), name)
	decide(t, skip, err)
	return path
}

// decide ends the test as a search has ended.
func decide(t testing.TB, skip string, err error) {
	t.Helper()
	switch {
	case err != nil:
		t.Fatal(err)
	case skip != "":
		t.Skip(skip)
	}
}

// read is the description in that file.
func read(description string) (*Description, error) {
	text, err := os.ReadFile(description)
	if err != nil {
		return nil, fmt.Errorf("read the lab's description: %w", err)
	}
	d := &Description{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("read the lab's description %s: %w", description, err)
	}
	return d, nil
}

// find is the description of a lab of which the peer of that key is part.
func find(description, key string) (d *Description, skip string, err error) {
	if description == "" {
		return nil, fmt.Sprintf("%s is not set: make test-lab runs this test beside the lab", Variable), nil
	}
	if d, err = read(description); err != nil {
		return nil, "", err
	}
	if skip = d.leftOut(key); skip != "" {
		return nil, skip, nil
	}
	return d, "", nil
}

// leftOut says that a peer is not part of this run, and is empty when it is.
func (d *Description) leftOut(key string) string {
	if d.Peers == nil || slices.Contains(d.Peers, key) {
		return ""
	}
	return fmt.Sprintf("%s is not part of this run of the lab, which has %v: make test-lab has all", key, d.Peers)
}

// tools are the keys of the peers that bring a tool.
var tools = map[string]string{"psql": "tools", "aws": "tools", "openssl": "tools", "vault": "vault", "kubectl": "kubernetes"}

// versions is what a tool is asked to find out whether it runs.
var versions = map[string][]string{"psql": {"--version"}, "aws": {"--version"}, "openssl": {"version"}, "vault": {"version"}, "kubectl": {"version", "--client"}}

// findTool looks a tool up in a lab's description, or on PATH where there is no
// lab.
func findTool(description, name string) (path, skip string, err error) {
	if description == "" {
		path, err := exec.LookPath(name)
		if err == nil {
			err = exec.Command(path, versions[name]...).Run()
		}
		if err != nil {
			return "", fmt.Sprintf("no %s here that runs (%v), and no lab: make test has one", name, err), nil
		}
		return path, "", nil
	}
	d, skip, err := find(description, tools[name])
	if skip != "" || err != nil {
		return "", skip, err
	}
	path = map[string]string{"psql": d.PSQL, "aws": d.AWS, "openssl": d.OpenSSL, "vault": d.VaultCLI, "kubectl": d.Kubectl}[name]
	if path == "" {
		return "", "", fmt.Errorf("the lab's description %s names no %s: run make lab-setup, then the tests by make test-lab", description, name)
	}
	if _, err := os.Stat(path); err != nil {
		return "", "", fmt.Errorf("%s, which the lab found, is not there: %w; run make lab-setup", name, err)
	}
	return path, "", nil
}
