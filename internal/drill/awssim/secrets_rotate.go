package awssim

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of a rotation's period.
const (
	minPeriod = 4 * time.Hour
	maxPeriod = 999 * 24 * time.Hour
)

var rateExpression = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^rate\((\d+) (hours?|days?)\)$`) })

// scheduled says whether the secret has rotation rules.
func (sec *secret) scheduled() bool { return sec.RotateAfterDays > 0 || sec.Schedule != "" }

// next is when the rotation after one at t is due: with a period in days at
// the end of that day. The zero time stands for a schedule that says nothing.
func (sec *secret) next(t time.Time) time.Time {
	if m := rateExpression().FindStringSubmatch(sec.Schedule); m != nil {
		n, _ := strconv.Atoi(m[1])
		if strings.HasPrefix(m[2], "hour") {
			return t.Add(time.Duration(n) * time.Hour).Truncate(time.Second)
		}
		return endOfDay(t.AddDate(0, 0, n))
	}
	if strings.HasPrefix(sec.Schedule, "cron(") {
		at, _ := nextCron(sec.Schedule, t)
		return at
	}
	if sec.RotateAfterDays > 0 {
		return endOfDay(t.AddDate(0, 0, sec.RotateAfterDays))
	}
	return time.Time{}
}

func endOfDay(t time.Time) time.Time { return day(t).Add(24*time.Hour - time.Second) }

func (r *rotationRules) check() *apiError {
	if r.AutomaticallyAfterDays != 0 && r.ScheduleExpression != "" {
		return invalidParameter("You can't specify both AutomaticallyAfterDays and ScheduleExpression.")
	}
	if d := r.AutomaticallyAfterDays; d < 0 || d > 1000 {
		return constraint("rotationRules.automaticallyAfterDays", "Member must have value between 1 and 1000")
	}
	switch e := r.ScheduleExpression; {
	case e == "":
		return nil
	case strings.HasPrefix(e, "rate("):
		m := rateExpression().FindStringSubmatch(e)
		if m == nil {
			return invalidParameter("The rotation schedule expression is not valid.")
		}
		n, err := strconv.Atoi(m[1])
		unit := 24 * time.Hour
		if strings.HasPrefix(m[2], "hour") {
			unit = time.Hour
		}
		if err != nil || n > 24*999 || time.Duration(n)*unit < minPeriod || time.Duration(n)*unit > maxPeriod {
			return invalidParameter("The rotation schedule expression is not valid: it must rotate between every 4 hours and every 999 days.")
		}
		return nil
	default:
		if _, ok := nextCron(e, time.Unix(0, 0)); !ok {
			return invalidParameter("The rotation schedule expression is not valid.")
		}
		return nil
	}
}

func rotateSecret(c *call, in *struct {
	SecretId, ClientRequestToken, RotationLambdaARN string
	RotationRules                                   *rotationRules
	RotateImmediately                               *bool
}) (any, *apiError) {
	s := c.sim
	s.mu.Lock()
	defer s.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	if in.ClientRequestToken == "" {
		in.ClientRequestToken = s.uuid("token", s.next())
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	if in.RotationRules != nil {
		if err := in.RotationRules.check(); err != nil {
			return nil, err
		}
	}
	function := in.RotationLambdaARN
	if function == "" {
		function = sec.RotationLambda
	}
	if function == "" {
		return nil, invalidRequest("No Lambda rotation function ARN is associated with this secret.")
	}
	f, ok := s.functions[functionName(function)]
	if !ok || !strings.Contains(f.Policy, "secretsmanager.amazonaws.com") {
		return nil, errf("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	}
	out := writeOutput{ARN: sec.ARN, Name: sec.Name, VersionId: in.ClientRequestToken}
	if v := sec.stuck(); v != nil {
		// The function gets another try at the version it left behind, and the
		// new request is refused.
		s.startRotation(sec, f.Name, v.ID)
		if v.ID == in.ClientRequestToken {
			return out, nil
		}
		return nil, invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
	}
	if sec.version(in.ClientRequestToken) != nil {
		return out, nil // the same request again, already carried out
	}
	immediately := in.RotateImmediately == nil || *in.RotateImmediately
	now := s.now()
	if immediately {
		if err := sec.makeRoom(now); err != nil {
			return nil, err
		}
	}
	sec.RotationLambda = s.FunctionARN(f.Name)
	if r := in.RotationRules; r != nil {
		sec.RotateAfterDays, sec.Schedule, sec.Window = r.AutomaticallyAfterDays, r.ScheduleExpression, r.Duration
	}
	if !sec.rotating || in.RotationRules != nil {
		sec.NextRotation = sec.next(now)
	}
	sec.rotating, sec.RotationCancelled = true, false
	sec.LastChanged = now
	if !immediately {
		out.VersionId = ""
		return out, nil
	}
	sec.Versions = append(sec.Versions, Version{ID: in.ClientRequestToken, Created: now})
	sec.attach(pending, in.ClientRequestToken)
	s.startRotation(sec, f.Name, in.ClientRequestToken)
	return out, nil
}

// rotationSteps are what the function is invoked with, in turn.
var rotationSteps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

// startRotation runs the function's four steps on a version, on its own time;
// the caller holds s.mu. One rotation of a secret runs at a time.
func (s *Sim) startRotation(sec *secret, function, version string) {
	if sec.running > 0 {
		return
	}
	sec.running++
	s.rotationEvent("RotationStarted", sec, "")
	name, arn := sec.Name, sec.ARN
	s.running.run(func() {
		ok := s.rotate(function, arn, version)
		s.mu.Lock()
		defer s.mu.Unlock()
		sec := s.secrets[name]
		if sec == nil || sec.ARN != arn {
			return // deleted meanwhile
		}
		sec.running--
		done := false
		if v := sec.staged(current); ok && v != nil && v.ID == version {
			done = true
			now := s.now()
			sec.LastRotated = now
			if sec.rotating {
				sec.NextRotation = sec.next(now)
			}
		}
		if done {
			s.rotationEvent("RotationSucceeded", sec, "")
		} else {
			s.rotationEvent("RotationFailed", sec, "")
		}
	})
}

func (s *Sim) rotate(function, arn, version string) bool {
	for _, step := range rotationSteps {
		s.mu.Lock()
		f, ok := s.functions[function]
		s.mu.Unlock()
		if !ok || s.mayRun(f) != nil {
			return false
		}
		event, _ := json.Marshal(map[string]string{"Step": step, "SecretId": arn, "ClientRequestToken": version})
		if s.runFunction(function, event) != nil {
			return false
		}
	}
	return true
}

// cancelRotateSecret turns rotation off. What a rotation under way has left
// under AWSPENDING stays.
func cancelRotateSecret(c *call, in *secretInput) (any, *apiError) {
	c.sim.mu.Lock()
	defer c.sim.mu.Unlock()
	sec, err := c.secret(in.SecretId, false)
	if err != nil {
		return nil, err
	}
	out := writeOutput{ARN: sec.ARN, Name: sec.Name}
	if v := sec.stuck(); v != nil {
		out.VersionId = v.ID
	}
	if sec.rotating {
		sec.rotating, sec.RotationCancelled = false, true
		sec.LastChanged = c.sim.now()
	}
	return out, nil
}
