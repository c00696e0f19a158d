package drill

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"warroom/internal/drill/awssim"
)

const (
	lambdaTimeout = 30 * time.Second
	// ranFor is a run that Lambda cut off, to the hundredth.
	ranFor = 30*time.Second + 30*time.Millisecond
	// timeoutWords are the rotation function's own.
	timeoutWords = "DB connection timeout"
	// attemptEvery is how often the failed rotation is tried again: fifteen times
	// a day.
	attemptEvery     = 96 * time.Minute
	triesPerRotation = 3
	// lastAttempt is when that was last done before the world was opened.
	lastAttempt = 12 * time.Minute
	// attentive is how often the world looks whether something happened.
	attentive = 5 * time.Second
)

// traffic is what the gateway counted: calls by the minute and how many of them
// were refused. Two thirds carry tokens of the client whose own has run out.
type traffic struct{ crisis }

// The traffic repeats every five minutes, so that the shares of any five minutes
// and the counts of any hour come out alike.
var (
	callsOf   = [5]float64{32, 48, 40, 44, 36}
	refusedOf = [5]float64{21, 33, 27, 29, 24} // 67 of a hundred
	strayOf   = [5]float64{0, 1, 0, 1, 0}      // one of a hundred
)

func (t *traffic) count(at time.Time) awssim.Sample {
	n := callsOf[at.Unix()/60%5]
	return awssim.Sample{Count: n, Sum: n, Min: 1, Max: 1}
}

func (t *traffic) refused(at time.Time) awssim.Sample {
	n := at.Unix() / 60 % 5
	refused := strayOf[n]
	if t.at(at) {
		refused = refusedOf[n]
	}
	return awssim.Sample{Count: callsOf[n], Sum: refused, Min: 0, Max: 1}
}

// pastAttempts leaves behind what the function's runs left: those of the
// rotation that succeeded three days ago are too old to show, those since the
// failed one are not.
func (e *estate) pastAttempts() {
	var at []time.Time
	for t := lastAttempt; t <= due; t += attemptEvery {
		at = append(at, e.ago(t))
	}
	slices.Reverse(at)
	for _, t := range at {
		e.attempt(t)
	}
}

// attempt is one try of Secrets Manager to go on with the rotation: createSecret
// finds the password already stored, setSecret runs into its timeout.
func (e *estate) attempt(at time.Time) {
	dims := map[string]string{"FunctionName": functionName}
	m := e.aws.Metrics
	add := func(name string, t time.Time, v float64) { m.Add("AWS/Lambda", name, dims, t, v) }
	stream := at.Format("2006/01/02") + "/[$LATEST]" + e.digits("stream "+at.Format("20060102"), 32)
	log := func(t time.Time, format string, args ...any) {
		e.aws.AddLog(awssim.LogEvent{Group: "/aws/lambda/" + functionName, Stream: stream, At: t, Message: fmt.Sprintf(format, args...)})
	}
	// Secrets Manager has the function try three times before it calls a rotation
	// failed.
	n := int(e.ago(lastAttempt).Sub(at) / attemptEvery)
	n = (n%triesPerRotation + triesPerRotation) % triesPerRotation
	if s, ok := e.aws.Secret("prod/db/postgres"); ok && n == triesPerRotation-1 {
		e.aws.AddEvent(awssim.RotationEvent("RotationStarted", s.ARN, at, ""))
	} else if ok && n == 0 {
		e.aws.AddEvent(awssim.RotationEvent("RotationFailed", s.ARN, at.Add(ranFor), timeoutWords))
	}
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

	// Both runs begin within one minute, which is the grain of the metrics.
	at = at.Truncate(time.Minute).Add(4 * time.Second)
	for i, step := range []string{"createSecret", "setSecret"} {
		began := at.Add(time.Duration(i) * time.Second)
		id := e.uuid("run " + step + at.Format(time.RFC3339))
		ended, failed := began.Add(412*time.Millisecond), 0.0
		log(began, "START RequestId: %s Version: $LATEST", id)
		if step == "createSecret" {
			log(began.Add(380*time.Millisecond), "[INFO]\t%s\t%s\tcreateSecret: the version under AWSPENDING has a value already", stamp(began), id)
		} else {
			ended, failed = began.Add(ranFor), 1
			log(began.Add(90*time.Millisecond), "[INFO]\t%s\t%s\tsetSecret: connecting to db.company.com:5432 as app_user", stamp(began), id)
			log(began.Add(20*time.Second), "[ERROR]\t%s\t%s\t%s", stamp(began.Add(20*time.Second)), id, timeoutWords)
			log(ended, "%s %s Task timed out after %.2f seconds", stamp(ended), id, ranFor.Seconds())
		}
		log(ended, "END RequestId: %s", id)
		log(ended, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: 256 MB\tMax Memory Used: 74 MB", id, ms(ended.Sub(began)), min(ended.Sub(began), lambdaTimeout).Milliseconds())
		add("Invocations", began, 1)
		add("Errors", began, failed)
		add("Throttles", began, 0)
		add("Duration", began, ms(ended.Sub(began)))
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// digits draws n hexadecimal digits.
func (e *estate) digits(purpose string, n int) string {
	r := e.source(purpose)
	out := make([]byte, n)
	for i := range out {
		out[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(out)
}

// live is what goes on by itself while the world is open: the rotation is tried
// again while it is stuck, and the gateway's clients recover once their token is
// good.
func (e *estate) live() (run, stop func()) {
	done := make(chan struct{})
	var once sync.Once
	next := e.ago(lastAttempt).Add(attemptEvery)
	return func() {
		ticker := time.NewTicker(attentive)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				next = e.tick(next)
			}
		}
	}, func() { once.Do(func() { close(done) }) }
}

// tick does what is due, and says when the next attempt is.
func (e *estate) tick(next time.Time) time.Time {
	now := e.now()
	if !e.traffic.over() && e.tokenGood(now) {
		e.traffic.end(now)
	}
	if !e.logins.over() && e.users.try() == nil {
		e.logins.end(now)
	}
	for !next.After(now) {
		if e.stuck() {
			e.attempt(next)
		}
		next = next.Add(attemptEvery)
	}
	return next
}

// stuck reports whether AWSPENDING stands on a version that is not current, and
// rotation has not been cancelled.
func (e *estate) stuck() bool {
	s, ok := e.aws.Secret("prod/db/postgres")
	if !ok || s.RotationCancelled {
		return false
	}
	return slices.ContainsFunc(s.Versions, func(v awssim.Version) bool {
		return slices.Contains(v.Stages, "AWSPENDING") && !slices.Contains(v.Stages, "AWSCURRENT")
	})
}

// tokenGood reports whether the stored client token is let in.
func (e *estate) tokenGood(now time.Time) bool {
	v, err := e.staged("prod/edge/gateway-token", "AWSCURRENT")
	return err == nil && e.issuer.Valid(stringField(v.Value, "token"), audience, now)
}
