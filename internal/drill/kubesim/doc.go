// Package kubesim is an in-process Kubernetes cluster for the drill: an API
// server behind one http.Handler, and the controllers that act on what it holds,
// for kubectl and client-go as they are.
//
// Its rules. Requests are authenticated (bearer token or client certificate) and
// authorised by verb, group, resource, namespace and name; a refusal has the
// words of the real server. Every write has a resource version of one counter,
// and conflicts, watches, pages and expired versions follow from one bounded
// history, as they do from etcd's. Workloads are moved by controllers, not by
// whoever asks: a Deployment rolls within maxSurge and maxUnavailable through
// ReplicaSets, pods start with the Secrets of their time, and a hook of the
// scenario says whether they are well with those. What is not simulated does not
// exist: its path answers 404. Everything follows from the seed, the clock and
// the calls made; time moves in steps from event to event, so that it does not
// matter how often anybody looks. Values of Secrets are only in Secrets.
package kubesim
