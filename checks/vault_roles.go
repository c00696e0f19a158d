package checks

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"warroom/internal/estate"
)

const (
	staticRolesMost     = 300 // read in one run
	staticRolesParallel = 8
)

// staticRoles reads the roles whose passwords Vault rotates. static-roles/NAME tells
// the last rotation; static-creds/NAME, which also brings the password, is not read.
func (b vaultBuilder) staticRoles() Probe {
	return b.sliced(b.probe(estate.CheckVaultStaticRoles, "LIST and GET of static-roles of every database mount", b.cfg.Checks.SlowEvery, func(ctx context.Context) Result {
		return resultOf(b.readStaticRoles(ctx))
	}))
}

func (b vaultBuilder) readStaticRoles(ctx context.Context) (estate.Data, error) {
	engines, usable, err := b.here.engines(ctx)
	if err != nil {
		return nil, err
	}
	out := estate.VaultStaticRoles{Roles: []estate.VaultStaticRole{}, Usable: usable}
	for _, mount := range slices.Sorted(maps.Keys(engines)) {
		if engines[mount].Type != "database" {
			continue
		}
		names, err := b.here.names(ctx, mount+"static-roles")
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		for _, name := range names {
			if len(out.Roles) == staticRolesMost {
				out.Partial = true
				break
			}
			out.Roles = append(out.Roles, estate.VaultStaticRole{Mount: mount, Name: name})
		}
	}
	if err := b.fillStaticRoles(ctx, out.Roles); err != nil {
		return nil, err
	}
	return out, nil
}

// fillStaticRoles reads each role. A role that we may not read says so itself; what
// would keep us from reading the others too is the error.
func (b vaultBuilder) fillStaticRoles(ctx context.Context, roles []estate.VaultStaticRole) error {
	errs := make([]error, len(roles))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(staticRolesParallel, len(roles)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = b.staticRole(ctx, &roles[i])
			}
		})
	}
	for i := range roles {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, err := range errs {
		var f *estate.Failure
		switch {
		case err == nil:
		case errors.As(err, &f) && (f.Kind == estate.Denied || f.Kind == estate.Missing || f.Kind == estate.BadAnswer || f.Kind == estate.Broken):
			roles[i].Failure = string(f.Kind) + ": " + f.Detail
		default:
			return err
		}
	}
	for i := range roles {
		roles[i].Mount, roles[i].Name = b.text(roles[i].Mount), b.text(roles[i].Name)
	}
	return nil
}

// standardCron is the form of schedule that Vault takes: five fields, in UTC.
var standardCron = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func (b vaultBuilder) staticRole(ctx context.Context, role *estate.VaultStaticRole) error {
	if !sound(role.Name) {
		return &estate.Failure{Kind: estate.BadAnswer, Detail: "a name that cannot be asked for"}
	}
	var body struct {
		User     string     `json:"username"`
		Last     *time.Time `json:"last_vault_rotation"`
		Period   float64    `json:"rotation_period"`
		Schedule string     `json:"rotation_schedule"`
	}
	path := role.Mount + "static-roles/" + role.Name
	if err := b.here.read(ctx, path, &body); err != nil {
		return err
	}
	role.User, role.Schedule = b.text(body.User), b.text(body.Schedule)
	const most = float64(100 * 365 * 24 * time.Hour / time.Second)
	role.Period = time.Duration(min(max(body.Period, 0), most)) * time.Second
	if body.Last == nil || body.Last.IsZero() {
		return nil
	}
	role.LastRotation = *body.Last
	switch {
	case role.Period > 0:
		role.Due = role.LastRotation.Add(role.Period)
	case body.Schedule != "":
		schedule, err := parseSchedule(body.Schedule)
		if err != nil {
			return &estate.Failure{Kind: estate.BadAnswer, Doing: "read " + path, Detail: "a rotation schedule that cannot be read"}
		}
		role.Due = schedule.Next(role.LastRotation.UTC())
	}
	if !role.Due.IsZero() {
		role.TTL = max(time.Until(role.Due), 0)
	}
	return nil
}

// parseSchedule parses a schedule. The parser panics on some that are none.
func parseSchedule(text string) (s cron.Schedule, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the schedule cannot be parsed")
		}
	}()
	if len(text) > nameLimit {
		return nil, errors.New("the schedule is too long")
	}
	return standardCron.Parse(text)
}
