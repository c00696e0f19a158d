// Package labtest finds the command lines with which tests drive the drill's
// systems as people do.
//
// Its rule: beside the lab nothing is skipped. Where WARROOM_LAB is set, a tool
// that is missing fails the test and says how to install it; without the lab the
// test is skipped, because go test alone needs only Go.
package labtest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Variable is the environment variable that holds the path of the lab's
// description.
const Variable = "WARROOM_LAB"

// Tool is the path of psql, aws or vault.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, skip, err := find(os.Getenv(Variable), name)
	switch {
	case err != nil:
		t.Fatal(err)
	case skip != "":
		t.Skip(skip)
	}
	return path
}

// find looks a tool up in a lab's description, or on PATH where there is no lab.
func find(description, name string) (path, skip string, err error) {
	if description == "" {
		path, err := exec.LookPath(name)
		if err == nil {
			err = exec.Command(path, "--version").Run()
		}
		if err != nil {
			return "", fmt.Sprintf("no %s here that runs (%v), and no lab: make test has one", name, err), nil
		}
		return path, "", nil
	}
	text, err := os.ReadFile(description)
	if err != nil {
		return "", "", fmt.Errorf("read the lab's description: %w", err)
	}
	var d map[string]any
	if err := json.Unmarshal(text, &d); err != nil {
		return "", "", fmt.Errorf("read the lab's description %s: %w", description, err)
	}
	path, _ = d[map[string]string{"aws": "aws_cli", "psql": "psql", "vault": "vault_cli"}[name]].(string)
	if path == "" {
		return "", "", fmt.Errorf("the lab's description %s names no %s: run make lab-setup, then the tests by make test", description, name)
	}
	if _, err := os.Stat(path); err != nil {
		return "", "", fmt.Errorf("%s, which the lab found, is not there: %w; run make lab-setup", name, err)
	}
	return path, "", nil
}
