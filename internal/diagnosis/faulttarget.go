package diagnosis

import (
	"fmt"

	"warroom/internal/estate"
)

// targetDatabase: can the database not take a new password, whatever it is?
func (x *senses) targetDatabase() Finding {
	e := x.faulty(database)
	for i := range x.t.Components {
		c := &x.t.Components[i]
		if c.Kind != estate.KindPostgres {
			continue
		}
		for _, slot := range x.s.Slots(c.ID) {
			v := x.seenOf(slot)
			if k := v.kind(); (k == estate.Refused || k == estate.ServerError) && x.recent(slot) {
				e.looks++
				e.hit(c.Name+" takes no connection: "+string(k), x.lost(v, slot.Last.Key.Check))
				break
			}
		}
	}
	n := 0
	for _, v := range every[estate.Login](x, estate.CheckLogin) {
		if !e.look(v.seen) {
			continue
		}
		n++
		if v.data.Outcome == estate.LoginBusy {
			e.hit(x.name(v.owner())+": "+cut(v.data.Message, 60), x.fact(v.seen, "Login "+string(v.data.Stage), string(v.data.Outcome), estate.Fail))
		} else {
			e.note(x.fact(v.seen, "Login "+string(v.data.Stage), "answered: "+string(v.data.Outcome), estate.OK))
		}
	}
	for _, v := range every[estate.Connections](x, estate.CheckConnections) {
		if !e.look(v.seen) {
			continue
		}
		d := &v.data
		if d.Max > 0 && float64(d.Used) >= x.t.Rules.ConnectionsFail*float64(d.Max-d.Reserved) {
			e.hit(fmt.Sprintf("%s has %d of %d connections in use", x.name(v.owner()), d.Used, d.Max), x.fact(v.seen, "Connection slots", fmt.Sprintf("%d of %d", d.Used, d.Max), estate.Fail))
		}
	}
	for _, v := range every[estate.Replication](x, estate.CheckReplication) {
		if !e.look(v.seen) {
			continue
		}
		if c, _ := x.t.Component(v.owner()); v.data.InRecovery && !c.Standby {
			e.hit(c.Name+" is a replica and takes no writes", x.fact(v.seen, "Server is", "a replica", estate.Fail))
		}
	}
	return e.any(fmt.Sprintf("the databases answered %s; they have connections left and take writes", logins(n)), "no database is configured")
}

func logins(n int) string {
	if n == 1 {
		return "1 login"
	}
	return thousands(n) + " logins"
}

// targetRateLimit: does an API limit its rate?
func (x *senses) targetRateLimit() Finding {
	e := x.faulty(rateLimited)
	for _, v := range every[estate.APIProbe](x, estate.CheckAPI) {
		if !e.look(v.seen) {
			continue
		}
		f := x.fact(v.seen, "Rate limit", rate(&v.data), bad(v.data.Code == 429 || v.data.RateRemaining == 0, estate.Fail))
		if f.Status == estate.Fail {
			e.hit(x.name(v.owner())+": "+f.Value, f)
			continue
		}
		e.note(f)
	}
	for _, v := range every[estate.FunctionMetrics](x, estate.CheckFunctionMetrics) {
		if e.look(v.seen) && v.data.Throttles > 0 {
			e.hit(fmt.Sprintf("%s throttled %.0f times in %s", x.name(v.owner()), v.data.Throttles, estate.Span(v.data.Window)), x.fact(v.seen, "Throttles", fmt.Sprintf("%.0f", v.data.Throttles), estate.Fail))
		}
	}
	return e.any("no API and no run tells of a limit", "no API and no function is configured")
}

// targetService: is a service on the way down: an API, a Vault, the function
// itself?
func (x *senses) targetService() Finding {
	e := x.faulty(serviceDown)
	for _, v := range every[estate.APIProbe](x, estate.CheckAPI) {
		if k := v.kind(); (k == estate.Refused || k == estate.ServerError) && x.recent(v.slot) {
			e.looks++
			e.hit(x.name(v.owner())+": "+string(k), x.lost(v.seen, "Request"))
			continue
		}
		if !e.look(v.seen) {
			continue
		}
		f := x.fact(v.seen, "Answer", fmt.Sprint(v.data.Code), bad(v.data.Code >= 500, estate.Fail))
		if v.data.Code >= 500 {
			e.hit(fmt.Sprintf("%s answers %d", x.name(v.owner()), v.data.Code), f)
			continue
		}
		e.note(f)
	}
	for _, v := range every[estate.VaultHealth](x, estate.CheckVaultHealth) {
		if k := v.kind(); (k == estate.Refused || k == estate.ServerError) && x.recent(v.slot) {
			e.looks++
			e.hit(x.name(v.owner())+": "+string(k), x.lost(v.seen, "Health"))
			continue
		}
		if !e.look(v.seen) {
			continue
		}
		h := &v.data
		word := "serves"
		switch {
		case !h.Initialized:
			word = "is not initialised"
		case h.Sealed:
			word = "is sealed"
		case h.Removed:
			word = "was removed from its cluster"
		case h.NoActive:
			word = "has no active node"
		}
		f := x.fact(v.seen, "Health", word, bad(word != "serves", estate.Fail))
		if word != "serves" {
			e.hit(x.name(v.owner())+" "+word, f)
			continue
		}
		e.note(f)
	}
	for _, v := range every[estate.FunctionConfig](x, estate.CheckFunction) {
		if e.look(v.seen) && v.data.State == "Failed" {
			e.hit(x.name(v.owner())+" is in state Failed: "+cut(v.data.StateReason, 60), x.fact(v.seen, "State", v.data.State, estate.Fail))
		}
	}
	for _, v := range every[estate.FunctionConcurrency](x, estate.CheckConcurrency) {
		if r := v.data.Reserved; e.look(v.seen) && r != nil && *r == 0 {
			e.hit(x.name(v.owner())+" has a reserved concurrency of 0: no run can start", x.fact(v.seen, "Concurrency", "0 reserved", estate.Fail))
		}
	}
	return e.any("every API, Vault and function on the way answers", "no API, Vault or function is configured")
}

// failureTarget: can the target not take the new value?
func (x *senses) failureTarget() Finding {
	return x.oneOf(line{"target.database", (*senses).targetDatabase}, line{"target.ratelimit", (*senses).targetRateLimit}, line{"target.service", (*senses).targetService})
}
