package diagnosis

import (
	"cmp"
	"fmt"
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
				return ", which takes " + string(stage)
			}
		}
	}
	return ""
}

// weighed are the tries of the current version of some secrets.
type weighed struct {
	*evidence          // its hits are the secrets of which a try was refused
	refused            int
	accepted, untested []string
}

func (x *senses) weigh(secrets []*estate.Standing) *weighed {
	w := &weighed{evidence: x.gather()}
	for _, s := range secrets {
		tries := x.triesOf(s.Secret.ID, estate.StageCurrent)
		if len(tries) == 0 {
			w.untested = append(w.untested, s.Secret.ID)
			continue
		}
		var by []string
		for _, t := range tries {
			w.looks++
			switch {
			case t.refused:
				w.refused++
				by = append(by, t.word+" by "+x.name(t.owner())+x.elsewhere(t))
				w.proofs = append(w.proofs, t.fact(x))
			case t.accepted:
				w.accepted = append(w.accepted, s.Secret.ID+" at "+x.name(t.owner()))
				w.note(t.fact(x))
			default:
				w.gaps = append(w.gaps, t.fact(x))
				if t.sure() {
					w.miss(x.name(t.owner()) + ": " + s.Secret.ID + " " + t.word + ", which proves nothing")
				} else {
					w.miss(x.why(t.seen))
				}
			}
		}
		if len(by) > 0 {
			w.hit(s.Secret.ID + " " + strings.Join(by, ", "))
		}
	}
	return w
}

// secretsValid: does the target still take the value in use?
func (x *senses) secretsValid() Finding {
	w := x.weigh(x.focus)
	if w.refused > 0 {
		return w.finding(Against, fmt.Sprintf("%s of %s refused: %s", thousands(w.refused), tries(w.looks), few(w.hits, 2)))
	}
	if len(w.blind) == 0 && w.looks > 0 && len(w.untested) > 0 && len(x.failing.all) > 0 {
		w.miss("nothing in warroom.yaml tries " + names(w.untested, 3))
	}
	return w.all(fmt.Sprintf("0 of %s refused: %s", tries(w.looks), names(w.accepted, 3)), noTarget)
}

const noTarget = "no target is configured at which a value could be tried"

// secretsTested is For when every failed secret was tried, whatever came of it.
func (x *senses) secretsTested() Finding {
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
	w := x.weigh(watched)
	w.untested = append(w.untested, unlisted...)
	w.blind = append(w.blind, x.failing.blind...)
	w.gaps = append(w.gaps, x.failing.gaps...)
	text := fmt.Sprintf("%s refused, %s untested", thousands(w.refused), thousands(len(w.blind)+len(w.untested)))
	if len(w.hits) > 0 {
		text += ": " + few(w.hits, 2)
	}
	switch {
	case len(w.blind) > 0:
		return w.finding(Unread, text+"; not read: "+few(w.blind, 1))
	case len(w.untested) > 0:
		return w.finding(Unread, text+"; nothing in warroom.yaml tries "+names(w.untested, 2))
	}
	return w.finding(For, text)
}

// secretsValidated is For only when every value in use is taken everywhere and none
// waits under AWSPENDING.
func (x *senses) secretsValidated() Finding {
	var all []*estate.Standing
	for i := range x.secrets {
		all = append(all, &x.secrets[i])
	}
	w := x.weigh(all)
	for _, s := range all {
		if s.Slot == nil || s.Rotation != "FAILED" {
			continue
		}
		if v := x.seenOf(s.Slot); v.sure() {
			w.hit("the new value of "+s.Secret.ID+" is not in use: "+s.RotationNote, x.fact(v, s.Secret.ID, s.Rotation+": "+s.RotationNote, estate.Fail))
		}
	}
	if len(w.hits) > 0 {
		return w.finding(Against, fmt.Sprintf("%s of %s refused: %s", thousands(w.refused), tries(w.looks), few(w.hits, 3)))
	}
	return w.all(fmt.Sprintf("0 of %s refused: %s", tries(w.looks), names(w.accepted, 3)), noTarget)
}
