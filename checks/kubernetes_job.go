package checks

import (
	"cmp"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"warroom/internal/estate"
)

func (w *kubeWatch) job(k *kubeKey, of feeds) Result {
	c, uid, ok := lookUp[*cronItem](of[cronJobs], k.work.name)
	if !ok {
		return Result{Err: &estate.Failure{
			Kind: estate.Missing, Doing: k.expected.Source,
			Detail: "there is no cronjob " + k.work.name + " in namespace " + k.work.namespace + ", or no such namespace",
			Next:   "check namespace/name in warroom.yaml, and whether somebody deleted it",
		}}
	}
	out := estate.Job{
		Name: k.work.namespace + "/" + k.work.name, Schedule: c.schedule, Suspended: c.suspended, Running: c.running,
		Last: c.last, LastSuccess: c.success,
	}
	if c.zone != "" {
		out.Schedule += " " + c.zone
	}
	var runs []*jobItem
	each(&of[jobs].store, func(_ *item, j *jobItem) bool {
		if j.owner.uid == uid {
			runs = append(runs, j)
		}
		return true
	})
	slices.SortFunc(runs, func(a, b *jobItem) int { return cmp.Or(b.started.Compare(a.started), cmp.Compare(a.result, b.result)) })
	for i, r := range runs {
		if i == 0 {
			out.LastResult, out.Reason = r.result, r.reason
			if r.started.After(out.Last) {
				out.Last = r.started // started by hand, or just now
			}
		}
		if r.result == "succeeded" && r.ended.After(out.LastSuccess) {
			out.LastSuccess = r.ended
		}
	}
	for _, r := range runs {
		if r.result == "succeeded" {
			break
		}
		if r.result == "failed" {
			out.Failures++
		}
	}
	// Old jobs are removed: what the CronJob itself remembers tells how the last of
	// them ended, if well.
	if len(runs) == 0 && !out.Last.IsZero() && !out.LastSuccess.Before(out.Last) {
		out.LastResult = "succeeded"
	}
	out.Next, out.Period = next(c, w.now())
	return Result{Data: out}
}

// next is when a CronJob runs next, and the time from then to the run after; zero
// for a schedule that cannot be read, and for one that is suspended. It is read by
// the parser that the CronJob controller uses; without a time zone the controller
// takes its own, which is UTC as a rule.
func next(c *cronItem, now time.Time) (time.Time, time.Duration) {
	where := time.UTC
	if c.zone != "" {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			return time.Time{}, 0
		}
		where = zone
	}
	s, err := cron.ParseStandard(c.schedule)
	if err != nil {
		return time.Time{}, 0
	}
	first := s.Next(now.In(where))
	if first.IsZero() {
		return time.Time{}, 0
	}
	var period time.Duration
	if second := s.Next(first); !second.IsZero() {
		period = second.Sub(first)
	}
	if c.suspended {
		return time.Time{}, period
	}
	return first.UTC(), period
}
