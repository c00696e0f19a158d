//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// sample is on how many secrets and services the guide's way is timed.
const sample = 5

// guideScript does what the guide's emergency functions for a database password and
// for a service do, command by command, for one after the other. Unlike them it stops
// at the first thing that goes wrong, so that nothing is quick because it failed.
const guideScript = `set -uo pipefail
die() { echo "$*" >&2; exit 1; }

rotate() { # secret, host, user
    local new held old
    new=$(openssl rand -base64 32 | tr -d '=+/' | cut -c1-25)
    held=$("$AWS_CLI" secretsmanager get-secret-value --secret-id "$1" --region "$AWS_REGION" --query SecretString --output text) || die "read $1"
    old=${held#*'"password":"'}
    old=${old%%'"'*}
    [ -n "$old" ] || die "$1 holds no password"
    PGPASSWORD=$old "$PSQL" -h "$2" -U "$3" -d postgres -c 'SELECT 1;' >/dev/null || die "log in as $3"
    PGPASSWORD=$old "$PSQL" -h "$2" -U "$3" -d postgres -c "ALTER USER $3 WITH PASSWORD '$new';" >/dev/null || die "set the password of $3"
    "$AWS_CLI" secretsmanager update-secret --secret-id "$1" --secret-string "${held/"$old"/"$new"}" --region "$AWS_REGION" >/dev/null || die "store $1"
    PGPASSWORD=$new "$PSQL" -h "$2" -U "$3" -d postgres -c 'SELECT 1;' >/dev/null || die "log in as $3 with the new password"
}

restart() { # deployment
    "$KUBECTL" -n "$NAMESPACE" get deployment "$1" >/dev/null || die "find $1"
    "$KUBECTL" -n "$NAMESPACE" rollout restart deployment "$1" >/dev/null || die "restart $1"
    "$KUBECTL" -n "$NAMESPACE" rollout status deployment "$1" --timeout=300s >/dev/null || die "roll $1"
}

what=$1
shift
for one in "$@"; do
    case $what in
    rotate) rotate "${one%=*}" "$PGHOST" "${one#*=}" ;;
    restart) restart "$one" ;;
    esac
done
`

// guide times the guide's way: what it takes for one secret, and for one service.
func (w *recoveryWorld) guide(ctx context.Context) (secret, service time.Duration, err error) {
	script := filepath.Join(w.dir, "guide.sh")
	if err := os.WriteFile(script, []byte(guideScript), 0o600); err != nil {
		return 0, 0, err
	}
	run := func(args ...string) (time.Duration, error) {
		cmd := exec.CommandContext(ctx, "bash", append([]string{script}, args...)...)
		cmd.Env = append(w.env(), "AWS_CLI="+w.lab.AWS, "PSQL="+w.lab.PSQL, "KUBECTL="+w.lab.Kubectl, "NAMESPACE="+w.guideSpace, "KUBECONFIG="+w.lab.Kubernetes.Kubeconfig,
			"PGHOST="+w.lab.Primary.Host, fmt.Sprintf("PGPORT=%d", w.lab.Primary.Port), "PGSSLMODE=verify-full", "PGSSLROOTCERT="+w.lab.Primary.CAFile)
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		began := time.Now()
		err := cmd.Run()
		took := time.Since(began)
		if err != nil {
			return 0, fmt.Errorf("the guide's way to %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
		}
		return took, nil
	}
	rotations, restarts := []string{"rotate"}, []string{"restart"}
	for i := range sample {
		rotations = append(rotations, guideSecret(i)+"="+guideRole(i))
		restarts = append(restarts, guideService(i))
	}
	all, err := run(rotations...)
	if err != nil {
		return 0, 0, err
	}
	services, err := run(restarts...)
	return all / sample, services / sample, err
}
