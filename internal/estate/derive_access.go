package estate

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// accessMonitor: how many authentications failed, whether it is known who reads
// secrets and whether a stranger does, and whether failures are more than usual.
func (d *deriver) accessMonitor() {
	sources := seeAll[FailedAuths](d.derivation, d.c.ID, CheckFailedAuths)
	gateways := d.gatewaysWatched()
	readers := d.readers() // first: of two that fail, a stranger is what to say
	if len(sources)+len(gateways) > 0 {
		d.failedAuths(sources, gateways)
	}
	if usage := d.usage(); usage != nil {
		d.add(true, *usage)
	}
	if readers != nil {
		d.add(false, *readers)
	}
	if len(sources) > 0 {
		d.anomalies(sources)
	}
	for _, v := range sources {
		d.add(false, d.source(v))
	}
	for _, g := range gateways {
		d.add(false, d.failuresOf("Failed auths of "+g.name, g.seen))
	}
	d.say(OK, "TRACKED", "")
}

// gatewayRate is a gateway's own count of failed authentications.
type gatewayRate struct {
	name string
	seen seen[FailureRate]
}

// gatewaysWatched are the gateways that the monitor watches and that none of its
// sources counts already.
func (d *deriver) gatewaysWatched() []gatewayRate {
	var out []gatewayRate
	for i := range d.t.Components {
		c := &d.t.Components[i]
		if c.Kind != KindGateway || !d.c.watches(c.ID) || slices.Contains(d.c.Of, c.ID) {
			continue
		}
		if v := see[FailureRate](d.derivation, c.ID, CheckAuthFailures, ""); v.planned {
			out = append(out, gatewayRate{c.Name, v})
		}
	}
	return out
}

// failedAuths adds up what every source counted.
func (d *deriver) failedAuths(sources []seen[FailedAuths], gateways []gatewayRate) {
	var x gathered
	total, ours := 0.0, 0.0
	short, long := time.Duration(0), time.Duration(0)
	status := OK
	var parts, queries []string
	take := func(b basis, name string, failed, own float64, window time.Duration, judged Status) {
		x.add(b)
		if !b.ok {
			return
		}
		total, ours = total+failed, ours+own
		if short == 0 || window < short {
			short = window
		}
		long = max(long, window)
		parts = append(parts, name+" "+thousands(int(failed))+" in "+Span(window))
		status = Worst(status, b.proven(judged))
	}
	for _, v := range sources {
		f := d.source(v)
		take(v.basis, v.slot.Last.Key.Item, v.data.Failed, v.data.Ours, v.data.Window, f.Status)
		queries = append(queries, v.slot.Last.Key.Item)
	}
	for _, g := range gateways {
		f := d.failuresOf("", g.seen)
		take(g.seen.basis, g.name, g.seen.data.Failed, g.seen.data.Ours, g.seen.data.Window, f.Status)
		queries = append(queries, g.name)
	}
	window := Span(long)
	if short != long {
		window = Span(short) + " to " + Span(long)
	}
	note := strings.Join(parts, "; ")
	if len(parts) == 1 {
		note = ""
	}
	if ours > 0 {
		note = strings.TrimPrefix(note+"; "+thousands(int(ours))+" of our own probes left out", "; ")
	}
	f := x.tally("Failed auths", int(total), " in "+window, status, note)
	f.Formula = "failed authentications of " + strings.Join(queries, ", ") + ", added up, each over its own window; those of our own probes are left out"
	d.add(true, f)
	if f.Status == Fail || f.Status == Warn {
		d.say(f.Status, "FAILING", note)
	}
}

// failuresOf is a gateway's count as the monitor has it: one that cannot be read is
// no failure of the monitor's.
func (d *deriver) failuresOf(name string, v seen[FailureRate]) Fact {
	judged := v
	judged.slot = &Slot{Good: v.slot.Good} // what was read, whatever the last attempt brought
	f := d.failures(name, judged)
	out := v.told(name, f.Value, f.Status, f.Note)
	out.Formula = f.Formula
	return out
}

// source judges one count of failed authentications: by the share of attempts
// where attempts are counted, and by what is usual.
func (d *deriver) source(v seen[FailedAuths]) Fact {
	x := &v.data
	status := OK
	var notes []string
	if x.Total > 0 {
		share := min(x.Failed/x.Total, 1)
		status = d.failedStatus(share)
		notes = append(notes, percent(share)+" of "+thousands(int(x.Total)))
	}
	if usual, odd := d.unusual(x); odd {
		status = Worst(status, Warn)
		notes = append(notes, "ANOMALY: usually "+whole(usual))
	} else if len(x.Earlier) > 0 {
		notes = append(notes, "usually "+whole(usual))
	} else {
		notes = append(notes, "no history to compare with")
	}
	if x.Ours > 0 {
		notes = append(notes, thousands(int(x.Ours))+" of our own left out")
	}
	f := v.told("Failed auths of "+v.slot.Last.Key.Item, thousands(int(x.Failed))+" in "+Span(x.Window), status, strings.Join(notes, "; "))
	f.Formula = x.Metric
	return f
}

// failedStatus judges a share of failed authentications.
func (d *derivation) failedStatus(share float64) Status {
	switch {
	case share >= d.t.Rules.AuthFailuresFail:
		return Fail
	case share >= d.t.Rules.AuthFailuresWarn:
		return Warn
	}
	return OK
}

// unusual compares a window with those before it. What is usual is the lower
// quartile of the earlier ones: their median would be that of the trouble itself
// as soon as it has lasted for half of them.
func (d *derivation) unusual(x *FailedAuths) (usual float64, odd bool) {
	if len(x.Earlier) == 0 {
		return 0, false
	}
	usual = lowerQuartile(x.Earlier)
	return usual, x.Failed >= d.t.Rules.AnomalyFloor && x.Failed > d.t.Rules.AnomalyFactor*usual
}

// lowerQuartile is the value that a quarter of some numbers do not exceed, between
// two of them in proportion.
func lowerQuartile(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	at := float64(len(sorted)-1) / 4
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// anomalies says of how many sources it is known what is usual, and which are out
// of it.
func (d *deriver) anomalies(sources []seen[FailedAuths]) {
	var x gathered
	with := 0
	var odd, without []string
	for _, v := range sources {
		x.add(v.basis)
		name := v.slot.Last.Key.Item
		if !v.ok || len(v.data.Earlier) == 0 {
			without = append(without, name)
			continue
		}
		with++
		if usual, is := d.unusual(&v.data); is && !v.stale {
			odd = append(odd, fmt.Sprintf("%s: %s in %s, usually %s (lower quartile of the %s before)",
				name, thousands(int(v.data.Failed)), Span(v.data.Window), whole(usual), count(len(v.data.Earlier), "window")))
		}
	}
	word, status, note := "ON", OK, ""
	switch {
	case with == 0:
		word, status, note = "OFF", Warn, "no source has a history to compare with"
	case len(without) > 0:
		word, status, note = "PARTIAL", Warn, "no history of "+strings.Join(without, ", ")
	}
	formula := fmt.Sprintf("ON when every source has earlier windows to compare with. ANOMALY: more failed in this window than %s × the lower quartile of the earlier ones (thresholds.anomaly_factor), and at least %s (thresholds.anomaly_floor)",
		strings.TrimSuffix(fmt.Sprintf("%.1f", d.t.Rules.AnomalyFactor), ".0"), whole(d.t.Rules.AnomalyFloor))
	f := x.fact("Anomaly detection", word, status, note)
	f.Formula = formula
	d.add(true, f)
	word, status, note = "none", OK, ""
	if len(odd) > 0 {
		word, status, note = some(len(odd), "source"), Warn, strings.Join(odd, "; ")
		d.say(Warn, "ANOMALY", note)
	}
	f = x.rate("Anomalies", word, status, note)
	f.Formula = formula
	d.add(false, f)
}

// usage is whether it is recorded who reads secrets, and how many were read of
// late. It is nil when nothing tells.
func (d *deriver) usage() *Fact {
	var x gathered
	recorded, planned := 0, 0
	var gaps []string
	total, idle := 0, 0
	inventories := 0
	done := map[string]bool{}
	for i := range d.t.Components {
		c := &d.t.Components[i]
		for _, v := range seeAll[Trails](d.derivation, c.ID, CheckTrails) {
			if done["trail "+v.slot.Last.Key.Item] {
				continue
			}
			done["trail "+v.slot.Last.Key.Item] = true
			planned++
			x.add(v.basis)
			if slices.ContainsFunc(v.data.Trails, Trail.reads) {
				recorded++
			} else if v.ok {
				gaps = append(gaps, v.slot.Last.Key.Item)
			}
		}
		if c.Kind != KindSecretsManager {
			continue
		}
		for _, v := range seeAll[SecretInventory](d.derivation, c.ID, CheckInventory) {
			account := v.data.Account + " " + v.data.Region
			if v.ok && done[account] {
				continue
			}
			done[account] = true
			x.add(v.basis)
			if v.ok {
				inventories++
				total, idle = total+v.data.Total, idle+min(v.data.Idle, v.data.Total)
			}
		}
	}
	if x.reads == 0 {
		return nil
	}
	word, status := "TRACKED", OK
	var notes []string
	switch {
	case len(gaps) > 0:
		word, status = "UNTRACKED", Warn
		if recorded > 0 {
			word = "PARTIAL"
		}
		notes = append(notes, "no trail records reads in "+strings.Join(gaps, ", "))
	case planned == 0:
		word, status = "BY DAY", Warn
		notes = append(notes, "no secret_store reads a trail: who reads is not known, only the day of the last read")
	}
	if inventories > 0 {
		notes = append(notes, fmt.Sprintf("%s of %s read within 90 days", thousands(total-idle), some(total, "secret")))
	}
	f := x.fact("Secret usage", word, status, strings.Join(notes, "; "))
	f.Formula = "TRACKED when a trail of every account records management events that read, among them GetSecretValue; read within 90 days by LastAccessedDate of ListSecrets, which has a day's grain"
	return &f
}

// reads reports whether a trail records who reads a secret: GetSecretValue is a
// management event that reads.
func (t Trail) reads() bool { return t.Logging && (t.Management == "all" || t.Management == "read") }
