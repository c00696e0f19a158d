package kubesim

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// What fieldSelector can select by, besides name and namespace.

func podFields(o Object) fields.Set {
	p := o.(*corev1.Pod)
	return fields.Set{
		"spec.nodeName": p.Spec.NodeName, "spec.restartPolicy": string(p.Spec.RestartPolicy), "spec.schedulerName": p.Spec.SchedulerName,
		"spec.serviceAccountName": p.Spec.ServiceAccountName, "spec.hostNetwork": fmt.Sprint(p.Spec.HostNetwork),
		"status.phase": string(p.Status.Phase), "status.podIP": p.Status.PodIP, "status.nominatedNodeName": p.Status.NominatedNodeName,
	}
}

func nodeFields(o Object) fields.Set {
	return fields.Set{"spec.unschedulable": fmt.Sprint(o.(*corev1.Node).Spec.Unschedulable)}
}

func secretFields(o Object) fields.Set { return fields.Set{"type": string(o.(*corev1.Secret).Type)} }

func jobFields(o Object) fields.Set {
	return fields.Set{"status.successful": fmt.Sprint(o.(*batchv1.Job).Status.Succeeded)}
}

func eventFields(o Object) fields.Set {
	e := o.(*corev1.Event)
	r := e.InvolvedObject
	source := e.Source.Component
	if source == "" {
		source = e.ReportingController
	}
	return fields.Set{
		"involvedObject.kind": r.Kind, "involvedObject.namespace": r.Namespace, "involvedObject.name": r.Name, "involvedObject.uid": string(r.UID),
		"involvedObject.apiVersion": r.APIVersion, "involvedObject.resourceVersion": r.ResourceVersion, "involvedObject.fieldPath": r.FieldPath,
		"reason": e.Reason, "reportingComponent": e.ReportingController, "source": source, "type": e.Type,
	}
}

func newEventFields(o Object) fields.Set {
	e := o.(*eventsv1.Event)
	r := e.Regarding
	return fields.Set{
		"regarding.kind": r.Kind, "regarding.namespace": r.Namespace, "regarding.name": r.Name, "regarding.uid": string(r.UID),
		"regarding.apiVersion": r.APIVersion, "regarding.resourceVersion": r.ResourceVersion, "regarding.fieldPath": r.FieldPath,
		"reason": e.Reason, "reportingController": e.ReportingController, "type": e.Type,
	}
}

func toNewEvent(o Object) Object {
	e, ok := o.(*corev1.Event)
	if !ok {
		return o
	}
	out := &eventsv1.Event{
		ObjectMeta: e.ObjectMeta, EventTime: e.EventTime, ReportingController: e.ReportingController, ReportingInstance: e.ReportingInstance,
		Action: e.Action, Reason: e.Reason, Regarding: e.InvolvedObject, Related: e.Related, Note: e.Message, Type: e.Type,
		DeprecatedSource: e.Source, DeprecatedFirstTimestamp: e.FirstTimestamp, DeprecatedLastTimestamp: e.LastTimestamp, DeprecatedCount: e.Count,
	}
	if e.Series != nil {
		out.Series = &eventsv1.EventSeries{Count: e.Series.Count, LastObservedTime: e.Series.LastObservedTime}
	}
	return out
}
