package kubesim

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// eventLife is how long the API server keeps an event after it last happened.
const eventLife = time.Hour

// An object's events of one source are written 25 at once and then one every
// five minutes, by client-go's spam filter.
const (
	eventBurst  = 25
	eventRefill = 5 * time.Minute
)

// bucket is what is left of one object's events.
type bucket struct {
	tokens float64
	at     time.Time
}

// event writes what happened to an object, or counts it up where it has
// happened before.
func (s *Sim) event(res *resource, o Object, kind, reason, component, message string) {
	s.eventOf(res, o, kind, reason, corev1.EventSource{Component: component}, "", message)
}

// senderOf names one object's events of one source.
func senderOf(source corev1.EventSource, res *resource, o Object) string {
	return source.Component + "|" + source.Host + "|" + res.kind + "|" + path(o.GetNamespace(), o.GetName())
}

func (s *Sim) eventOf(res *resource, o Object, kind, reason string, source corev1.EventSource, fieldPath, message string) {
	if s.past != nil && s.o.Clock().Sub(s.at) > eventLife {
		return // forgotten before the story is over
	}
	who := senderOf(source, res, o)
	b := s.senders[who]
	if b == nil {
		b = &bucket{tokens: eventBurst, at: s.at}
		s.senders[who] = b
	}
	b.tokens = min(eventBurst, b.tokens+float64(s.at.Sub(b.at))/float64(eventRefill))
	b.at = s.at
	if b.tokens < 1 {
		return
	}
	b.tokens--
	ns := o.GetNamespace()
	if ns == "" {
		ns = metav1.NamespaceDefault
	}
	d := s.digest("event", who, string(o.GetUID()), kind, reason, fieldPath, message)
	name := fmt.Sprintf("%s.%x", o.GetName(), d[:8])
	now := s.stamp()
	if old, ok := get[*corev1.Event](s, s.r.events, ns, name); ok {
		c := old.DeepCopy()
		c.Count++
		c.LastTimestamp = now
		s.put(s.r.events, c)
		return
	}
	s.put(s.r.events, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns},
		InvolvedObject: corev1.ObjectReference{
			Kind: res.kind, APIVersion: res.gvk().GroupVersion().String(), Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(), FieldPath: fieldPath,
		},
		Reason: reason, Message: message, Source: source, ReportingController: source.Component, ReportingInstance: source.Host,
		FirstTimestamp: now, LastTimestamp: now, Count: 1, Type: kind,
	})
}

// unhealthy is the event of a failed readiness probe. For a pod of before the
// world lived it says what its kubelet would have said by now.
func (s *Sim) unhealthy(c *corev1.Pod, st *podState, message string) {
	s.podEvent(c, corev1.EventTypeWarning, "Unhealthy", message)
	if st.complained {
		return
	}
	st.complained = true
	first := st.started.Add(s.o.ReadyDelay)
	for _, cond := range c.Status.Conditions {
		if cond.Type == corev1.PodReady {
			first = maxTime(first, cond.LastTransitionTime.Time)
		}
	}
	since := s.at.Sub(first)
	if since < eventRefill {
		return
	}
	for _, e := range list[*corev1.Event](s, s.r.events, c.Namespace) {
		if e.InvolvedObject.UID == c.UID && e.Reason == "Unhealthy" {
			n := e.DeepCopy()
			n.FirstTimestamp = metav1.NewTime(first.Truncate(time.Second))
			n.Count = eventBurst + int32(since/eventRefill)
			s.put(s.r.events, n)
			if b := s.senders[senderOf(e.Source, s.r.pods, c)]; b != nil {
				b.tokens = 0
			}
			return
		}
	}
}

// forgetEvents drops events that happened too long ago.
func (s *Sim) forgetEvents() {
	const often = 10 * time.Second
	if s.at.Sub(s.forgot) < often && !s.at.Before(s.forgot) {
		return
	}
	s.forgot = s.at
	for who, b := range s.senders {
		if s.at.Sub(b.at) > eventBurst*eventRefill {
			delete(s.senders, who) // it is full again
		}
	}
	for _, e := range list[*corev1.Event](s, s.r.events, "") {
		last := e.LastTimestamp.Time
		if last.IsZero() {
			last = e.CreationTimestamp.Time
		}
		if s.at.Sub(last) > eventLife {
			s.drop(s.r.events, e)
		}
	}
}
