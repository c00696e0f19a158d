package cli

import (
	"slices"

	"warroom/actions"
	"warroom/actions/access"
	"warroom/actions/apikey"
	"warroom/actions/certificate"
	"warroom/actions/contain"
	"warroom/actions/database"
	"warroom/actions/recovery"
	"warroom/actions/restart"
	"warroom/actions/unseal"
	"warroom/actions/validate"
)

// procedures lists everything that can be done, in the order of an incident.
func procedures(s actions.Systems) []actions.Procedure {
	all := slices.Concat(access.Procedures(s), contain.Procedures(s), unseal.Procedures(s), database.Procedures(s), apikey.New(s),
		[]actions.Procedure{certificate.New(s), restart.New(s), validate.New(s)})
	return append(all, recovery.Procedure(s, all))
}
