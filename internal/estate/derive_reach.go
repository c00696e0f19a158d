package estate

import (
	"fmt"
	"slices"
	"strings"
)

// reach is the connection of an application that has no health endpoint, as far
// as the component that it connects to tells: whether that component takes the
// secret which the application uses. It says nothing of the application's own
// network, nor of the version that its processes hold.
func (d *deriver) reach() Fact {
	target, ok := d.t.Component(d.c.Uses)
	if !ok {
		return Fact{Name: "Connection", Value: "?", Status: Unknown, Note: "connects_to names no component", Source: "connects_to in warroom.yaml"}
	}
	var f Fact
	switch target.Kind {
	case KindPostgres:
		f = d.reachPostgres(&target)
	case KindExternalAPI:
		v := see[APIProbe](d.derivation, target.ID, CheckAPI, "")
		f = d.answered(&target, v.basis, v.data.Secret, v.data.Code)
	case KindGateway:
		v := see[GatewayProbe](d.derivation, target.ID, CheckProbe, ItemWithToken)
		f = d.answered(&target, v.basis, v.data.Secret, v.data.Code)
	default:
		f = Fact{Name: "Connection", Value: "?", Status: Unknown, Source: "connects_to in warroom.yaml", Note: target.Name + " is read without its secrets: it cannot tell whether they are taken"}
	}
	f.Formula = "not its own word: whether " + target.Name + " takes the current version of the secret that it uses, by the checks of " + target.Name
	return f
}

// shares finds whether a probe was made with one of the application's secrets.
func (d *deriver) shares(target *Component, secret string) (note string, ok bool) {
	if slices.Contains(d.c.Secrets, secret) {
		return "", true
	}
	return target.Name + " is probed with " + secret + ", which is none of its secrets", false
}

func (d *deriver) reachPostgres(target *Component) Fact {
	l := logins{}
	for _, stage := range []Stage{StageCurrent, StagePending, StagePrevious} {
		l[stage] = see[Login](d.derivation, target.ID, CheckLogin, string(stage))
	}
	cur := l[StageCurrent]
	if !cur.ok {
		return cur.fact("Connection", "?", Unknown, "")
	}
	if note, ok := d.shares(target, cur.data.Secret); !ok {
		return cur.fact("Connection", "?", Unknown, note)
	}
	by := "by the login of " + target.Name + " with " + cur.data.Secret
	works, some := l.works()
	switch outcome := cur.data.Outcome; {
	case outcome == LoginAccepted:
		return cur.fact("Connection", "HEALTHY", OK, by)
	case outcome == LoginBarred:
		return cur.fact("Connection", "BARRED", Fail, by+": the password is right, the session is refused")
	case outcome == LoginTrusted:
		return cur.fact("Connection", "HEALTHY", OK, by+": it asks for no password")
	case outcome == LoginBusy || outcome == LoginWeak:
		return cur.fact("Connection", "?", Unknown, strings.TrimSuffix(by+": "+cur.data.Message, ": "))
	case some:
		f := cur.fact("Connection", "FAILED", Fail, fmt.Sprintf("%s: refused; the version under %s is taken, so processes that hold that one go on", by, works))
		return f.on(l[works].basis)
	}
	return cur.fact("Connection", "FAILED", Fail, by+": refused")
}

// answered judges the answer to a request that was made with a stored secret.
func (d *deriver) answered(target *Component, v basis, secret string, code int) Fact {
	if !v.ok {
		return v.fact("Connection", "?", Unknown, "")
	}
	if note, ok := d.shares(target, secret); !ok {
		return v.fact("Connection", "?", Unknown, note)
	}
	by := fmt.Sprintf("by the request of %s with %s: it answers %d", target.Name, secret, code)
	switch {
	case code >= 200 && code < 300:
		return v.fact("Connection", "HEALTHY", OK, by)
	case code == 401 || code == 403 || code >= 500:
		return v.fact("Connection", "FAILED", Fail, by)
	case code == 429:
		return v.fact("Connection", "DEGRADED", Warn, by)
	}
	return v.fact("Connection", "?", Unknown, by)
}
