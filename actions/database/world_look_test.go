package database_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"warroom/actions"
	"warroom/actions/contain"
	"warroom/actions/database"
	"warroom/internal/clients"
	"warroom/internal/drill/awssim"
	"warroom/internal/drill/pgsim"
	"warroom/internal/plan"
)

// name is how the estate calls the secret.
func (w *world) name() string {
	if w.shape.kv {
		return inVault
	}
	return target
}

// stored are all passwords of the app that are stored anywhere, by user.
func (w *world) stored() map[string]string {
	out := map[string]string{}
	if !w.shape.kv {
		s, _ := w.aws.Secret(target)
		for _, v := range s.Versions {
			var fields struct{ Username, Password string }
			if json.Unmarshal([]byte(v.Value), &fields) == nil {
				out[fields.Password] = fields.Username
			}
		}
		return out
	}
	for _, path := range []string{"secret/data/prod/db/app", "secret/data/prod/db/app.warroom-pending"} {
		for n := range 6 {
			s, err := w.root().Logical().ReadWithData(path, map[string][]string{"version": {strconv.Itoa(n)}})
			if err != nil || s == nil {
				continue
			}
			if data, ok := s.Data["data"].(map[string]any); ok {
				out[fmt.Sprint(data["password"])] = fmt.Sprint(data["username"])
			}
		}
	}
	return out
}

// staged is user and password of the version under a label; for Vault of the latest.
func (w *world) staged(stage string) (user, password string) {
	if w.shape.kv {
		path := "secret/data/prod/db/app"
		if stage == "AWSPENDING" {
			path += ".warroom-pending"
		}
		s, err := w.root().Logical().Read(path)
		if err != nil {
			w.t.Fatal(err)
		}
		if s == nil {
			return "", ""
		}
		data, _ := s.Data["data"].(map[string]any)
		return fmt.Sprint(data["username"]), fmt.Sprint(data["password"])
	}
	return labelled(w.aws, stage)
}

func labelled(sim *awssim.Sim, stage string) (user, password string) {
	s, _ := sim.Secret(target)
	for _, v := range s.Versions {
		var fields struct{ Username, Password string }
		if slices.Contains(v.Stages, stage) && json.Unmarshal([]byte(v.Value), &fields) == nil {
			return fields.Username, fields.Password
		}
	}
	return "", ""
}

// takes reports whether the primary lets somebody in.
func (w *world) takes(user, password string) bool {
	r, ok := w.pg.RoleOf(user)
	return ok && r.CanLogin && matches(r.Verifier, password) && (r.Infinite || r.ValidUntil.IsZero() || r.ValidUntil.After(time.Now()))
}

// matches reports whether a verifier was made of a password.
func matches(verifier, password string) bool {
	_, rest, _ := strings.Cut(verifier, ":")
	text, _, _ := strings.Cut(rest, "$")
	salt, err := base64.StdEncoding.DecodeString(text)
	return err == nil && verifier != "" && pgsim.NewVerifier(password, salt) == verifier
}

// safe checks what must hold whatever happened: some stored password logs in.
func (w *world) safe(when string) {
	w.t.Helper()
	for password, user := range w.stored() {
		if w.takes(user, password) {
			return
		}
	}
	w.t.Errorf("%s: no stored password logs in", when)
}

// rotated checks that a new password is current, works, and nothing is left over.
func (w *world) rotated(when string) {
	w.t.Helper()
	user, password := w.staged("AWSCURRENT")
	if password == now || password == oldest || !w.takes(user, password) {
		w.t.Errorf("%s: what is current is not new, or does not log in", when)
	}
	w.tidy(when)
	w.copied(when, password)
}

func (w *world) copied(when, password string) {
	w.t.Helper()
	if !w.shape.copies {
		return
	}
	_, west := labelled(w.west, "AWSCURRENT")
	s, err := w.root().Logical().Read("secret/data/copies/app")
	if err != nil || s == nil {
		w.t.Fatalf("read the copy: %v", err)
	}
	data, _ := s.Data["data"].(map[string]any)
	if west != password || data["password"] != password || data["note"] != "kept as it is" {
		w.t.Errorf("%s: the copies do not hold the password, or lost what else they held", when)
	}
}

// tidy checks that no label, tag or value of a rotation is left.
func (w *world) tidy(when string) {
	w.t.Helper()
	if w.shape.kv {
		if _, password := w.staged("AWSPENDING"); password != "" {
			w.t.Errorf("%s: a pending value is left in Vault", when)
		}
		return
	}
	s, _ := w.aws.Secret(target)
	for _, v := range s.Versions {
		for _, label := range v.Stages {
			if label != "AWSCURRENT" && label != "AWSPREVIOUS" {
				w.t.Errorf("%s: label %s is left", when, label)
			}
		}
	}
	if held := s.Tags["warroom:rotation"]; held != "" {
		w.t.Errorf("%s: the tag %q is left", when, held)
	}
}

// engine is a console on the world, as after its start.
func (w *world) engine() *actions.Engine { return w.console("anna", w.log, w.calls) }

func (w *world) console(operator string, journal actions.Log, around clients.Permit) *actions.Engine {
	w.t.Helper()
	systems := actions.Systems{Config: w.cfg, Read: clients.New(w.cfg), Act: clients.NewActing(w.cfg), Holder: operator + "@war"}
	scrub := func(s string) string { return systems.Read.Net().Scrub(systems.Act.Net().Scrub(s)) }
	e := actions.New(actions.Options{
		Procedures: append(database.Procedures(systems), contain.Procedures(systems)...), Systems: systems, Environment: "production",
		Operator: operator, Host: "war", PID: os.Getpid(), Scrub: scrub, Around: around,
	})
	e.Attach(journal, filepath.Join(w.t.TempDir(), "recovery.log"))
	if _, err := e.Arm(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { e.Close(); systems.Read.Close(); systems.Act.Close() })
	return e
}

// consent is everything that a plan asks for.
func consent(p *plan.Plan) plan.Consent {
	c := plan.Consent{Plan: p.ID, Fingerprint: p.Fingerprint(), Typed: p.Target, Reason: "test"}
	for _, w := range p.Warnings {
		if w.Accept {
			c.Accepted = append(c.Accepted, w.ID)
		}
	}
	return c
}

// do plans and carries out, and gives what came of it.
func (w *world) do(e *actions.Engine, ask plan.Request) (plan.Progress, error) {
	w.t.Helper()
	if ask.Target == "" && ask.Of == "" {
		ask.Target = w.name()
	}
	p, err := e.Plan(w.t.Context(), ask)
	if err != nil {
		return plan.Progress{}, err
	}
	w.clean(p)
	if err := e.Start(w.t.Context(), consent(p)); err != nil {
		return plan.Progress{}, err
	}
	return e.Wait(w.t.Context(), p.ID)
}

// must is do that has to end in a state.
func (w *world) must(e *actions.Engine, state plan.RunState, ask plan.Request) plan.Progress {
	w.t.Helper()
	got, err := w.do(e, ask)
	if err != nil {
		w.t.Fatalf("%s: %v", ask.Procedure, err)
	}
	if got.State != state {
		w.t.Fatalf("%s ended %s, want %s: %s; %s\n%s", ask.Procedure, got.State, state, got.Trouble, got.Next, lines(got))
	}
	w.clean(got)
	return got
}

func lines(p plan.Progress) string {
	var out strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&out, "%s %s: %s\n", s.ID, s.State, s.Detail)
	}
	for _, l := range p.Log {
		fmt.Fprintf(&out, "%s %s\n", l.Mark, l.Text)
	}
	return out.String()
}

// clean checks that no value of the world, and none that was made in it, is in what
// was journalled or told.
func (w *world) clean(told ...any) {
	w.t.Helper()
	w.log.mu.Lock()
	events := slices.Clone(w.log.events)
	w.log.mu.Unlock()
	secrets := []string{canary}
	for password := range w.stored() {
		if password != "" && password != "empty" {
			secrets = append(secrets, password)
		}
	}
	for name, what := range map[string]any{"journal": events, "told": told, "calls": w.calls.list()} {
		raw, err := json.Marshal(what)
		if err != nil {
			w.t.Fatal(err)
		}
		text := string(raw) + fmt.Sprintf("%+v", what)
		for _, secret := range secrets {
			if at := strings.Index(text, secret); at >= 0 {
				w.t.Errorf("a value is in the %s: …%s…", name, strings.ReplaceAll(text[max(0, at-200):at], "\n", " "))
			}
		}
	}
}
