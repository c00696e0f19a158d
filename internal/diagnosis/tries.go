package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"warroom/internal/estate"
)

// trial is one try of one version of a stored secret at one target.
type trial struct {
	seen
	secret   string
	stage    estate.Stage
	accepted bool // the target proved the value right
	refused  bool // the target said no; neither: it proved nothing
	word     string
}

// findTrials lists every try that a check makes.
func (x *senses) findTrials() []trial {
	var out []trial
	for _, v := range every[estate.Login](x, estate.CheckLogin) {
		t := trial{seen: v.seen, stage: estate.Stage(v.slot.Last.Key.Item), secret: cmp.Or(v.data.Secret, x.opens(v.owner()))}
		t.login(v.data)
		out = append(out, t)
	}
	for _, v := range every[estate.APIProbe](x, estate.CheckAPI) {
		t := trial{seen: v.seen, stage: estate.StageCurrent, secret: cmp.Or(v.data.Secret, x.opens(v.owner()))}
		t.answer(v.data.Code, "")
		out = append(out, t)
	}
	for _, v := range every[estate.GatewayProbe](x, estate.CheckProbe) {
		if v.slot.Last.Key.Item != estate.ItemWithToken {
			continue
		}
		t := trial{seen: v.seen, stage: estate.StageCurrent, secret: cmp.Or(v.data.Secret, x.opens(v.owner()))}
		t.answer(v.data.Code, cmp.Or(v.data.Description, v.data.Error))
		out = append(out, t)
	}
	for i := range out {
		// A value that cannot be used is one that no target takes.
		if t := &out[i]; t.kind() == estate.BadSecret {
			t.refused, t.word = true, "unusable value"
		}
	}
	return out
}

// opens is the first stored secret that a component uses to do its work.
func (x *senses) opens(id estate.ID) string {
	c, _ := x.t.Component(id)
	for _, s := range c.Secrets {
		if s != c.Monitor {
			return s
		}
	}
	return ""
}

func (t *trial) login(l estate.Login) {
	if !t.sure() {
		return
	}
	t.word = string(l.Outcome)
	switch l.Outcome {
	case estate.LoginAccepted, estate.LoginBarred:
		t.accepted = true
	case estate.LoginWrong, estate.LoginRejected, estate.LoginNoSuch, estate.LoginUnusable:
		t.refused = true
	}
	if l.SQLState != "" {
		t.word += " (" + l.SQLState + ")"
	}
}

func (t *trial) answer(code int, more string) {
	if !t.sure() {
		return
	}
	t.word = fmt.Sprint(code)
	switch {
	case code >= 200 && code < 300:
		t.accepted = true
	case code == 401:
		t.refused = true
	}
	if more != "" {
		t.word += " " + cut(more, 60)
	}
}

// decided reports whether the try proved anything.
func (t *trial) decided() bool { return t.accepted || t.refused }

// tried is what a try showed, in words.
func (t *trial) tried(x *senses) string {
	return strings.TrimSpace(fmt.Sprintf("%s: %s %s at %s", t.secret, t.version(), t.word, x.name(t.owner())))
}

// version is what was tried: a staging label only where several are.
func (t *trial) version() string {
	if t.stage == "" {
		return "the value"
	}
	return string(t.stage)
}

func (t *trial) fact(x *senses) Fact {
	status := estate.Unknown
	switch {
	case t.accepted:
		status = estate.OK
	case t.refused && t.stage == estate.StageCurrent:
		status = estate.Fail
	case t.refused:
		status = estate.NA
	}
	f := x.fact(t.seen, t.version()+" of "+t.secret, t.word, status)
	if t.kind() == estate.BadSecret {
		f = x.lost(t.seen, t.version()+" of "+t.secret)
	}
	return f
}

// of lists the tries of one secret, under one label where one is given.
func (x *senses) triesOf(secret string, stage estate.Stage) []*trial {
	var out []*trial
	for i := range x.tries {
		if t := &x.tries[i]; t.secret == secret && (stage == "" || t.stage == stage) {
			out = append(out, t)
		}
	}
	return out
}

// elsewhere says which other label a target takes that refuses the current one.
func (x *senses) elsewhere(t *trial) string {
	for _, stage := range [...]estate.Stage{estate.StagePending, estate.StagePrevious} {
		for _, o := range x.triesOf(t.secret, stage) {
			if o.owner() == t.owner() && o.accepted {
				return ", " + string(stage) + " accepted"
			}
		}
	}
	return ""
}

// weigh gathers the tries of the current version of some secrets: hits are those
// that were refused.
func (x *senses) weigh(secrets []*estate.Standing) (e *evidence, accepted, untried []string) {
	e = x.gather()
	for _, s := range secrets {
		tries := x.triesOf(s.Secret.ID, estate.StageCurrent)
		if len(tries) == 0 {
			untried = append(untried, s.Secret.ID)
			continue
		}
		for _, t := range tries {
			e.looks++
			switch {
			case t.refused:
				e.hit(t.tried(x)+x.elsewhere(t), t.fact(x))
			case t.accepted:
				accepted = append(accepted, s.Secret.ID+" at "+x.name(t.owner()))
				e.note(t.fact(x))
			case t.sure():
				e.miss(t.tried(x) + ", which proves nothing")
				e.gaps = append(e.gaps, t.fact(x))
			default:
				e.miss(x.why(t.seen))
				e.gaps = append(e.gaps, t.fact(x))
			}
		}
	}
	slices.Sort(untried)
	return e, accepted, untried
}

// secretsValid: does the target still take the value in use?
func (x *senses) secretsValid() Finding {
	e, accepted, untried := x.weigh(x.focus())
	if len(e.hits) > 0 {
		return e.finding(Against, fmt.Sprintf("%s of %s refused: %s", thousands(len(e.hits)), tries(e.looks), few(e.hits, 2)))
	}
	if len(e.blind) == 0 && e.looks > 0 && len(untried) > 0 && len(x.failing.all) > 0 {
		e.miss("nothing in warroom.yaml tries " + names(untried, 3))
	}
	f := e.all(fmt.Sprintf("%s accepted: %s", thousands(len(accepted)), names(accepted, 3)), "no target is configured at which a value could be tried")
	return f
}

// secretsTested is For when every failed secret was tried, whatever came of it.
func (x *senses) secretsTested() Finding {
	if f := x.failing; f.looks == 0 || len(f.all) == 0 && len(f.blind) > 0 {
		return x.secretsFailed()
	}
	if len(x.failing.all) == 0 {
		return x.secretsFailed()
	}
	var watched []*estate.Standing
	var unlisted []string
	for i := range x.failing.all {
		if f := &x.failing.all[i]; f.stand != nil {
			watched = append(watched, f.stand)
		} else {
			unlisted = append(unlisted, f.name)
		}
	}
	e, _, untried := x.weigh(watched)
	untried = append(untried, unlisted...)
	e.blind = append(e.blind, x.failing.blind...)
	n := len(e.blind) + len(untried)
	text := fmt.Sprintf("%s refused, %s untested", thousands(len(e.hits)), thousands(n))
	if len(e.hits) > 0 {
		text += ": " + few(e.hits, 2)
	}
	switch {
	case len(e.blind) > 0:
		return e.finding(Unread, text+"; not read: "+few(e.blind, 1))
	case len(untried) > 0:
		return e.finding(Unread, text+"; nothing in warroom.yaml tries "+names(untried, 2))
	}
	return e.finding(For, text)
}

// secretsValidated is For only when every value in use is taken everywhere and none
// waits under AWSPENDING.
func (x *senses) secretsValidated() Finding {
	var all []*estate.Standing
	for i := range x.secrets {
		all = append(all, &x.secrets[i])
	}
	e, accepted, _ := x.weigh(all)
	refused := len(e.hits)
	for _, s := range all {
		if s.Slot == nil {
			continue
		}
		v := typed[estate.SecretDescription](x, s.Slot)
		if v.sure() && s.Rotation == "FAILED" {
			e.hit(s.Secret.ID+": the new value is not in use, "+s.RotationNote, x.fact(v.seen, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))
		}
	}
	if len(e.hits) > 0 {
		return e.finding(Against, fmt.Sprintf("%s of %s refused: %s", thousands(refused), tries(e.looks), few(e.hits, 2)))
	}
	return e.all(fmt.Sprintf("0 of %s refused: %s", tries(e.looks), names(accepted, 3)), "no target is configured at which a value could be tried")
}
