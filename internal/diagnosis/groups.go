package diagnosis

import (
	"cmp"
	"slices"
)

// line is one possibility of a question, by the name of its sensor.
type line struct {
	name  string
	sense func(*senses) Finding
}

// oneOf is a question with several possibilities: For with those that have
// evidence, Against when all that can be read speak against theirs.
func (x *senses) oneOf(lines ...line) Finding {
	var out Finding
	var yes, no, dark []string
	var proof, counter, gap []Fact
	for _, one := range lines {
		switch f := x.ask(one.name, one.sense); f.Stance {
		case For:
			if !slices.Contains(yes, f.Value) {
				yes, proof = append(yes, f.Value), append(proof, f.Facts...)
			}
		case Against:
			no, counter = append(no, f.Value), append(counter, f.Facts...)
		case Unread:
			dark, gap = append(dark, f.Value), append(gap, f.Facts...)
		default:
			out.Value = cmp.Or(out.Value, f.Value)
		}
	}
	facts := slices.Concat(proof, gap, counter)
	facts = facts[:min(len(facts), factsKept)]
	switch {
	case len(yes) > 0:
		return Finding{Stance: For, Value: few(yes, 2), Facts: facts}
	case len(dark) > 0:
		return Finding{Stance: Unread, Value: few(slices.Compact(dark), 2), Facts: facts}
	case len(no) > 0:
		return Finding{Stance: Against, Value: few(slices.Compact(no), 3), Facts: facts}
	}
	return out
}

func (x *senses) mechanismAutomated() Finding {
	return x.oneOf(line{"mechanism.lambda", (*senses).mechanismLambda}, line{"mechanism.scheduled", (*senses).mechanismScheduled}, line{"mechanism.cron", (*senses).mechanismCron})
}

func (x *senses) mechanismManual() Finding {
	return x.oneOf(line{"mechanism.operator", (*senses).mechanismOperator}, line{"mechanism.emergency", (*senses).mechanismEmergency}, line{"mechanism.breakglass", (*senses).mechanismBreakglass})
}

func (x *senses) mechanismDelegated() Finding {
	return x.oneOf(line{"mechanism.service", (*senses).mechanismService}, line{"mechanism.trigger", (*senses).mechanismTrigger}, line{"mechanism.application", (*senses).mechanismApplication})
}

func (x *senses) mechanismIntegrated() Finding {
	return x.oneOf(line{"mechanism.vault", (*senses).mechanismVault}, line{"mechanism.cloud", (*senses).mechanismCloud}, line{"mechanism.ca", (*senses).mechanismCA})
}
