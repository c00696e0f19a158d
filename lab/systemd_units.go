package lab

const (
	goodUnit    = "analytics.service"
	failedUnit  = "exporter.service"
	goodTimer   = "rotate-files.timer"
	failedTimer = "rotate-tokens.timer"
)

// units are the unit files: what systemd itself needs in order to start and to
// end, and what there is to watch. Their services run in a slice of this name: two
// managers that share a control group would else stop each other's.
func units(slice string) map[string]string {
	service := "[Service]\nSlice=" + slice + ".slice\n"
	job := func(script string) string {
		return "[Unit]\nDescription=A rotation job\n" + service + "Type=oneshot\nExecStart=/bin/sh -c '" + script + "'\n"
	}
	// At once, and then every night.
	const timer = "[Unit]\nDescription=Has a rotation job run\n[Timer]\nOnActiveSec=0\nAccuracySec=1ms\nOnCalendar=*-*-* 03:00:00\n"
	const bare = "[Unit]\nDefaultDependencies=no\n"
	return map[string]string{
		"default.target":       "[Unit]\nDescription=The units of the lab\n",
		"basic.target":         bare,
		"sockets.target":       bare,
		"timers.target":        bare,
		"paths.target":         bare,
		"shutdown.target":      bare,
		"exit.target":          bare + "Requires=systemd-exit.service\nAfter=systemd-exit.service\n",
		"systemd-exit.service": bare + "Requires=shutdown.target\nAfter=shutdown.target\nSuccessAction=exit-force\n[Service]\nSlice=-.slice\n",

		// The manager looks for the bus that it is reached by among its own units.
		"dbus.socket":  "[Unit]\nDescription=The bus\n[Socket]\nListenStream=%t/bus\n",
		"dbus.service": "[Unit]\nDescription=The bus\nRequires=dbus.socket\n" + service + "Type=notify\nNotifyAccess=main\nExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation\n",

		goodUnit:                "[Unit]\nDescription=A service that runs\n" + service + "ExecStart=/bin/sleep infinity\n",
		failedUnit:              "[Unit]\nDescription=A service that failed\n" + service + "ExecStart=/bin/sh -c 'exit 3'\n",
		"rotate-files.service":  job("exit 0"),
		"rotate-tokens.service": job("exit 4"),
		goodTimer:               timer,
		failedTimer:             timer,
	}
}
