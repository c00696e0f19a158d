package restart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"warroom/internal/config"
)

// health is what a health endpoint says.
type health struct {
	code    int
	word    string // its status word, upper case
	version string // of the secret in use; empty when it does not say
}

// ask reads the health endpoint of an application once.
func (p *Procedure) ask(ctx context.Context, h *config.HealthCheck) (health, error) {
	bounded, cancel := context.WithTimeout(ctx, p.limit())
	defer cancel()
	answer, err := p.s.Read.HTTP(h.CACert).Get(bounded, h.URL, nil, true)
	if err != nil {
		return health{}, p.s.Read.Failure(err, "ask "+p.s.Read.Text(h.URL, 200))
	}
	out := health{code: answer.Code}
	var document any
	if answer.Whole && json.Unmarshal(answer.Body, &document) == nil {
		out.word = strings.ToUpper(answer.Text(field(document, h.Status), 24))
		out.version = answer.Text(field(document, h.Version), 64)
	}
	return out, nil
}

// field finds a text by a dotted path; empty where there is none.
func field(document any, path string) string {
	for key := range strings.SplitSeq(path, ".") {
		at, ok := document.(map[string]any)
		if !ok {
			return ""
		}
		document = at[key]
	}
	text, _ := document.(string)
	return text
}

// well says whether a restarted application is as it should be: it answers 200, and,
// where it tells which version of its secret it uses, that is the current one.
func (p *Procedure) well(ctx context.Context, component string, versions map[string]string) (bool, string) {
	h := p.healthOf(component)
	if h == nil {
		return true, ""
	}
	now, err := p.ask(ctx, h)
	switch {
	case err != nil:
		return false, err.Error()
	case now.code != http.StatusOK:
		return false, strings.TrimSpace(fmt.Sprintf("its health endpoint answers %d %s", now.code, now.word))
	case now.version != "" && !isCurrent(now.version, versions):
		return false, "its health endpoint says that it uses version " + short(now.version) + " of its secret"
	}
	return true, strings.TrimSpace("its health endpoint answers 200 " + now.word)
}

// isCurrent reports whether a version is current of one of the secrets. With no
// secret there is none to compare with.
func isCurrent(version string, versions map[string]string) bool {
	for _, v := range versions {
		if v == version {
			return true
		}
	}
	return len(versions) == 0
}

// healthOf is the health check of a component; nil where it has none.
func (p *Procedure) healthOf(component string) *config.HealthCheck {
	for i := range p.s.Config.Components {
		if c := &p.s.Config.Components[i]; component != "" && c.ID == component && c.Application != nil {
			return c.Application.Health
		}
	}
	return nil
}
