package diagnosis

import (
	"cmp"
	"fmt"
	"strings"

	"warroom/internal/estate"
)

// roleGone is what IAM calls a role that does not exist.
const roleGone = "NoSuchEntity"

// permissionRole: is the role of the rotation gone, or does it lack a right?
func (x *senses) permissionRole() Finding {
	e := x.faulty(badRole)
	all := 0
	for _, v := range every[estate.Permissions](x, estate.CheckPermissions) {
		if f := v.slot.Last.Failure; v.kind() == estate.Missing && strings.HasPrefix(f.Detail, roleGone) && x.recent(v.slot) {
			e.looks++
			e.hit("the role of "+x.name(v.owner())+" does not exist", x.lost(v.seen, "Role"))
			continue
		}
		if !e.look(v.seen) {
			continue
		}
		lacks, unsure := 0, 0
		all += actions(v.data.Permissions)
		for _, p := range v.data.Permissions {
			switch {
			case p.Decision == "allowed":
			case p.Lacks != "":
				unsure++
				e.miss(fmt.Sprintf("whether role %s may %s hangs on %s, which a simulation does not know", estate.PlainName(v.data.Role), p.Action, p.Lacks))
			case p.Decision == "implicitDeny":
				lacks++
				e.hit(fmt.Sprintf("role %s lacks %s on %s", estate.PlainName(v.data.Role), p.Action, estate.PlainName(p.Resource)),
					x.fact(v.seen, p.Action, "no policy of the role allows it", estate.Fail))
			}
		}
		e.note(x.fact(v.seen, "Role "+estate.PlainName(v.data.Role), fmt.Sprintf("%s, %d denied, %d not known", count(actions(v.data.Permissions), "action"), lacks, unsure), bad(lacks > 0, estate.Fail)))
	}
	for _, v := range every[estate.Role](x, estate.CheckRole) {
		if c, _ := x.t.Component(v.owner()); c.Standby || !e.look(v.seen) {
			continue
		}
		r := &v.data
		switch {
		case !r.Exists:
			e.hit("role "+r.Name+" does not exist on "+x.name(v.owner()), x.fact(v.seen, "Role "+r.Name, "does not exist", estate.Fail))
		case !r.CanLogin:
			e.hit("role "+r.Name+" may not log in to "+x.name(v.owner()), x.fact(v.seen, "Role "+r.Name, "NOLOGIN", estate.Fail))
		default:
			e.note(x.fact(v.seen, "Role "+r.Name, "exists and may log in", estate.OK))
		}
	}
	none := "every role exists and may log in"
	if all > 0 {
		none = fmt.Sprintf("the rotation's role may do all %s that it needs, by IAM's simulation", count(all, "action"))
	}
	return e.any(none, "no rotation function and no database role is read")
}

// actions counts what a simulation was asked for, each action once however many
// secrets and keys it was asked on.
func actions(all []estate.Permission) int {
	once := map[string]bool{}
	for _, p := range all {
		once[p.Action] = true
	}
	return len(once)
}

// permissionDenied: is a call of the rotation denied?
func (x *senses) permissionDenied() Finding {
	e := x.faulty(denied)
	x.look(e)
	for i := range x.changes {
		c := &x.changes[i]
		if m := meaning(c.Failed); m == denied && (c.ByRotation || x.concerns(c)) {
			e.hit(x.change(c), x.changed(c))
		}
	}
	return e.any("no run and no change was denied", "no function and no account is configured")
}

// permissionPolicy: does a policy other than the role's say no?
func (x *senses) permissionPolicy() Finding {
	e := x.faulty(badPolicy)
	for _, v := range every[estate.FunctionPolicy](x, estate.CheckPolicy) {
		if !e.look(v.seen) {
			continue
		}
		f := x.fact(v.seen, "Secrets Manager may invoke", map[bool]string{true: "yes", false: "no"}[v.data.SecretsManagerMayInvoke], bad(!v.data.SecretsManagerMayInvoke, estate.Fail))
		if !v.data.SecretsManagerMayInvoke {
			e.hit("the policy of "+x.name(v.owner())+" does not let Secrets Manager invoke it", f)
			continue
		}
		e.note(f)
	}
	for _, v := range every[estate.Permissions](x, estate.CheckPermissions) {
		if !e.look(v.seen) {
			continue
		}
		for _, p := range v.data.Permissions {
			if p.Decision == "explicitDeny" {
				e.hit(fmt.Sprintf("%s denies role %s %s", cmp.Or(p.By, "a policy"), estate.PlainName(v.data.Role), p.Action),
					x.fact(v.seen, p.Action, "denied by "+cmp.Or(p.By, "a policy that is not named"), estate.Fail))
			}
		}
	}
	for _, v := range every[estate.KeyState](x, estate.CheckKey) {
		if !e.look(v.seen) {
			continue
		}
		f := x.fact(v.seen, "Key "+v.slot.Last.Key.Item, v.data.State, bad(v.data.State != "Enabled", estate.Fail))
		if v.data.State != "Enabled" {
			e.hit("key "+v.slot.Last.Key.Item+" is "+v.data.State, f)
			continue
		}
		e.note(f)
	}
	for i := range x.tries {
		t := &x.tries[i]
		if login, _ := t.slot.Last.Data.(estate.Login); t.sure() && login.Outcome == estate.LoginRejected && t.stage == estate.StageCurrent {
			e.looks++
			e.hit(x.name(t.owner())+" does not admit "+login.User+" by pg_hba.conf", t.fact(x))
		}
	}
	return e.any("the function may be invoked, nothing is denied by name, and the keys are enabled", "no function, key or database is configured")
}

// failurePermission: may the rotation not do it?
func (x *senses) failurePermission() Finding {
	return x.oneOf(line{"permission.role", (*senses).permissionRole}, line{"permission.denied", (*senses).permissionDenied}, line{"permission.policy", (*senses).permissionPolicy})
}

// permissionValidated is For when everything that tells of rights was read and none
// is denied.
func (x *senses) permissionValidated() Finding {
	checked, where := 0, 0
	for _, v := range every[estate.Permissions](x, estate.CheckPermissions) {
		where++
		checked += actions(v.data.Permissions)
	}
	f := x.ask("failure.permission", (*senses).failurePermission)
	switch f.Stance {
	case For:
		f.Stance, f.Value = Against, "denied: "+f.Value
	case Against:
		f.Stance, f.Value = For, "0 calls denied: no run, no change and no policy says so"
		if where > 0 {
			f.Value = fmt.Sprintf("0 calls denied of %s to the role, by IAM's simulation; no run and no change was denied", count(checked, "action"))
		}
	}
	return f
}
