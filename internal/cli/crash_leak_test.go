package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// secretFields are the keys of a stored object whose values are secrets.
var secretFields = []string{"password", "api_key", "token", "key", "secret", "value"}

// keep notes every value that is secret in the world now.
func (s *stage) keep() {
	s.t.Helper()
	add := func(value string) {
		if len(value) >= 12 && !slices.Contains(s.secret, value) {
			s.secret = append(s.secret, value)
		}
	}
	account, err := s.set.AWS("main")
	must(s.t, err)
	services, err := account.Services(s.t.Context())
	must(s.t, err)
	list := secretsmanager.NewListSecretsPaginator(services.SecretsManager, &secretsmanager.ListSecretsInput{})
	for list.HasMorePages() {
		page, err := list.NextPage(s.t.Context())
		must(s.t, err)
		for _, one := range page.SecretList {
			d, err := services.SecretsManager.DescribeSecret(s.t.Context(), &secretsmanager.DescribeSecretInput{SecretId: one.Name})
			must(s.t, err)
			for id := range d.VersionIdsToStages {
				v, err := services.SecretsManager.GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: one.Name, VersionId: aws.String(id)})
				if err != nil {
					continue // it holds none, or is not for us
				}
				var fields map[string]any
				if json.Unmarshal([]byte(aws.ToString(v.SecretString)), &fields) != nil {
					add(aws.ToString(v.SecretString))
				}
				for _, name := range secretFields {
					if text, ok := fields[name].(string); ok {
						add(text)
					}
				}
			}
		}
	}
	for _, pattern := range []string{"*.token", "*.shares", "*.key"} {
		files, err := filepath.Glob(filepath.Join(s.world.Dir(), pattern))
		must(s.t, err)
		for _, f := range files {
			raw, err := os.ReadFile(f)
			must(s.t, err)
			for line := range strings.Lines(string(raw)) {
				if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
					add(line)
				}
			}
		}
	}
}

// leaks fails the test where a secret value of the world, of before or of now, stands
// in anything that was printed or written, or in what was seen of a process.
func (s *stage) leaks() {
	s.t.Helper()
	s.keep()
	if len(s.secret) < 10 {
		s.t.Fatalf("%d secrets are known: too few to mean anything", len(s.secret))
	}
	look := func(where string, raw []byte) {
		for _, value := range s.secret {
			quoted, err := json.Marshal(value)
			must(s.t, err)
			if bytes.Contains(raw, []byte(value)) || bytes.Contains(raw, quoted[1:len(quoted)-1]) {
				s.t.Errorf("a secret value (%s…) stands in %s", value[:3], where)
			}
		}
	}
	look("what was printed, or the process list", s.said.Bytes())
	files := 0
	must(s.t, filepath.WalkDir(s.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err == nil {
			files++
			look(path, raw)
		}
		return err
	}))
	if files == 0 && strings.Contains(s.said.String(), "Recovery log") {
		s.t.Error("a run wrote no file: nothing was looked at")
	}
}

// watch looks at a process while it runs, as anybody on the machine can; what it
// returns ends that and gives what was seen.
func (s *stage) watch(pid int) func() []byte {
	seen, end := make(chan []byte, 1), make(chan struct{})
	go func() {
		all := map[string]bool{}
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, file := range []string{"cmdline", "environ"} {
				if raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file)); err == nil { // gone, or no /proc
					all[string(raw)] = true
				}
			}
			select {
			case <-tick.C:
			case <-end:
				var out bytes.Buffer
				for text := range all {
					out.WriteString(text + "\n")
				}
				seen <- out.Bytes()
				return
			}
		}
	}()
	return func() []byte { close(end); return <-seen }
}
