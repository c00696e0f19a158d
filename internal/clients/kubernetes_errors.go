package clients

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"warroom/internal/estate"
)

// Failure says in the estate's terms why a call to the cluster brought nothing.
// A cluster that is down says nothing of what runs in it: what it refuses, or
// answers wrongly, is OutOfReach and not a failure of a workload.
func (k *Kubernetes) Failure(err error, doing string) *estate.Failure {
	if err == nil {
		return nil
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return k.said(status.Status(), doing)
	}
	if strings.Contains(err.Error(), "getting credentials:") {
		return &estate.Failure{
			Kind: estate.NoIdentity, Doing: doing, Detail: k.set.Text(inner(err), DetailLimit),
			Next: "log in with the kubeconfig's credential plugin; it cannot ask while the console owns the terminal",
		}
	}
	f := k.set.Failure(err, doing)
	if f.Kind.Status() == estate.Fail {
		f.Kind, f.Detail = estate.OutOfReach, string(f.Kind)+": "+f.Detail
	}
	return f
}

// said sorts an answer of the API server.
func (k *Kubernetes) said(s metav1.Status, doing string) *estate.Failure {
	f := &estate.Failure{Doing: doing, Detail: k.set.Text(s.Message, DetailLimit)}
	switch {
	case s.Reason == metav1.StatusReasonForbidden || s.Code == http.StatusForbidden:
		f.Kind, f.Next = estate.Denied, "grant the verb to our identity in this namespace (a Role and RoleBinding)"
	case s.Reason == metav1.StatusReasonUnauthorized || s.Code == http.StatusUnauthorized:
		f.Kind, f.Next = estate.NoIdentity, "log in to the cluster again: it does not know our credentials, or they have expired"
	case s.Reason == metav1.StatusReasonTooManyRequests || s.Code == http.StatusTooManyRequests:
		f.Kind = estate.Throttled
	case s.Reason == metav1.StatusReasonTimeout || s.Reason == metav1.StatusReasonServerTimeout || s.Code == http.StatusGatewayTimeout:
		f.Kind, f.Next = estate.Silent, "check the API server, and etcd behind it"
	case s.Reason == metav1.StatusReasonNotFound || s.Code == http.StatusNotFound:
		f.Kind = estate.NotSupported
		f.Next = "check that the context is the right cluster, and that it knows this kind"
	default:
		f.Kind, f.Next = estate.OutOfReach, "check the API server, and proxies before it"
	}
	return f
}
