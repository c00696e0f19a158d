package kubesim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Media types that are spoken.
const (
	jsonType     = "application/json"
	yamlType     = "application/yaml"
	protobufType = "application/vnd.kubernetes.protobuf"
)

// protobufMagic begins every object in protobuf.
var protobufMagic = []byte{'k', '8', 's', 0}

// message is what can be written in protobuf.
type message interface{ Marshal() ([]byte, error) }

// media is how an answer is to be written.
type media struct {
	mime string // one of the types above; JSON for ""
	as   string // Table, PartialObjectMetadata, PartialObjectMetadataList or nothing
}

// negotiate picks the first media type of the Accept header that can be given.
func negotiate(r *http.Request, res *resource) (media, error) {
	accept := r.Header.Get("Accept")
	if accept == "" {
		return media{mime: jsonType}, nil
	}
	for clause := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(clause)
		if err != nil {
			continue
		}
		m := media{mime: kind, as: params["as"]}
		switch kind {
		case "*/*", "application/*":
			m.mime = jsonType
		case jsonType, yamlType:
		case protobufType:
			if res != nil && res.custom && m.as == "" || m.as == "Table" {
				continue
			}
		default:
			continue
		}
		switch m.as {
		case "":
			return m, nil
		case "Table", "PartialObjectMetadata", "PartialObjectMetadataList":
			if params["v"] == "v1" && params["g"] == metav1.GroupName {
				return m, nil
			}
		}
	}
	return media{mime: jsonType}, apierrors.NewGenericServerResponse(http.StatusNotAcceptable, "get", resGR(res), "",
		"only the following media types are accepted: "+strings.Join([]string{jsonType, yamlType, protobufType}, ", "), 0, true)
}

func resGR(res *resource) (gr struct{ Group, Resource string }) {
	if res != nil {
		gr.Group, gr.Resource = res.group, res.plural
	}
	return gr
}

// collection is the answer to a list.
type collection struct {
	res   *resource
	meta  metav1.ListMeta
	items []Object
}

// render makes of an object or collection what is asked for; the caller holds
// the lock.
func (q *request) render(answer any) (any, error) {
	switch a := answer.(type) {
	case Object:
		if a.GetObjectKind().GroupVersionKind().Kind == "Scale" || q.res.virtual {
			return a, nil
		}
		switch q.form.as {
		case "Table":
			return q.table([]Object{a}, metav1.ListMeta{ResourceVersion: a.GetResourceVersion()}, true), nil
		case "PartialObjectMetadata", "PartialObjectMetadataList":
			return partial(a), nil
		}
		return q.res.typed(a), nil
	case *collection:
		switch q.form.as {
		case "Table":
			return q.table(a.items, a.meta, true), nil
		case "PartialObjectMetadataList", "PartialObjectMetadata":
			out := &metav1.PartialObjectMetadataList{ListMeta: a.meta, Items: make([]metav1.PartialObjectMetadata, len(a.items))}
			out.Kind, out.APIVersion = "PartialObjectMetadataList", metav1.SchemeGroupVersion.String()
			for i, o := range a.items {
				out.Items[i] = *partial(o)
			}
			return out, nil
		}
		return a, nil
	}
	return answer, nil
}

// partial is an object's metadata alone.
func partial(o Object) *metav1.PartialObjectMetadata {
	out := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: o.GetName(), GenerateName: o.GetGenerateName(), Namespace: o.GetNamespace(), UID: o.GetUID(), ResourceVersion: o.GetResourceVersion(),
		Generation: o.GetGeneration(), CreationTimestamp: o.GetCreationTimestamp(), DeletionTimestamp: o.GetDeletionTimestamp(),
		DeletionGracePeriodSeconds: o.GetDeletionGracePeriodSeconds(), Labels: o.GetLabels(), Annotations: o.GetAnnotations(),
		OwnerReferences: o.GetOwnerReferences(), Finalizers: o.GetFinalizers(), ManagedFields: o.GetManagedFields(),
	}}
	out.Kind, out.APIVersion = "PartialObjectMetadata", metav1.SchemeGroupVersion.String()
	return out
}

// table is objects as kubectl get shows them.
func (q *request) table(items []Object, meta metav1.ListMeta, columns bool) *metav1.Table {
	t := &metav1.Table{ListMeta: meta, Rows: []metav1.TableRow{}}
	t.Kind, t.APIVersion = "Table", metav1.SchemeGroupVersion.String()
	if columns {
		t.ColumnDefinitions = q.res.columns
	}
	include := q.http.URL.Query().Get("includeObject")
	for _, o := range items {
		row := metav1.TableRow{Cells: q.res.row(q.sim, o)}
		switch include {
		case "None":
		case "Object":
			row.Object.Object = q.res.typed(o)
		default:
			row.Object.Object = partial(o)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// send writes an answer.
func (q *request) send(status int, answer any) {
	if text, ok := answer.(string); ok {
		q.out.Header().Set("Content-Type", "text/plain")
		q.out.WriteHeader(status)
		_, _ = q.out.Write([]byte(text)) // the client has gone away
		return
	}
	raw, kind, err := encode(answer, q.form.mime)
	if err != nil {
		http.Error(q.out, "the answer cannot be encoded: "+err.Error(), http.StatusInternalServerError)
		return
	}
	q.out.Header().Set("Content-Type", kind)
	q.out.WriteHeader(status)
	_, _ = q.out.Write(raw) // the client has gone away
}

// encode writes an answer in a media type, and names what it became.
func encode(answer any, kind string) ([]byte, string, error) {
	switch kind {
	case protobufType:
		if raw, ok, err := encodeProtobuf(answer); ok || err != nil {
			return raw, protobufType, err
		}
	case yamlType:
		raw, err := encodeJSON(answer)
		if err == nil {
			raw, err = yaml.JSONToYAML(raw)
		}
		return raw, yamlType, err
	}
	raw, err := encodeJSON(answer)
	return raw, jsonType, err
}

func encodeJSON(answer any) ([]byte, error) {
	c, ok := answer.(*collection)
	if !ok {
		return json.Marshal(answer)
	}
	items := make([]any, len(c.items))
	for i, o := range c.items {
		items[i] = c.res.plain(o)
	}
	return json.Marshal(struct {
		Kind       string          `json:"kind"`
		APIVersion string          `json:"apiVersion"`
		Metadata   metav1.ListMeta `json:"metadata"`
		Items      []any           `json:"items"`
	}{c.res.kind + "List", c.res.gvk().GroupVersion().String(), c.meta, items})
}

// encodeProtobuf reports whether there is such a form. Every list of Kubernetes
// has its metadata as field 1 and its items as field 2.
func encodeProtobuf(answer any) (out []byte, ok bool, err error) {
	unknown := runtime.Unknown{}
	switch a := answer.(type) {
	case *collection:
		unknown.Kind, unknown.APIVersion = a.res.kind+"List", a.res.gvk().GroupVersion().String()
		raw, err := a.meta.Marshal()
		if err != nil {
			return nil, false, err
		}
		unknown.Raw = lengthField(nil, 1, raw)
		for _, o := range a.items {
			m, ok := a.res.plain(o).(message)
			if !ok {
				return nil, false, nil
			}
			if raw, err = m.Marshal(); err != nil {
				return nil, false, err
			}
			unknown.Raw = lengthField(unknown.Raw, 2, raw)
		}
	case runtime.Object:
		m, ok := a.(message)
		if !ok {
			return nil, false, nil
		}
		unknown.APIVersion, unknown.Kind = a.GetObjectKind().GroupVersionKind().ToAPIVersionAndKind()
		if unknown.Raw, err = m.Marshal(); err != nil {
			return nil, false, err
		}
	default:
		return nil, false, nil
	}
	raw, err := unknown.Marshal()
	return append(append([]byte{}, protobufMagic...), raw...), err == nil, err
}

// lengthField appends a length-delimited protobuf field.
func lengthField(to []byte, number uint64, value []byte) []byte {
	to = binary.AppendUvarint(to, number<<3|2)
	to = binary.AppendUvarint(to, uint64(len(value)))
	return append(to, value...)
}

// decode reads a body into an object, whose kind must be the one expected, or
// not said.
func decode(r *http.Request, body []byte, into Object, kind, apiVersion string) error {
	ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none is JSON
	if ct == protobufType {
		rest, ok := strings.CutPrefix(string(body), string(protobufMagic))
		p, can := into.(interface{ Unmarshal([]byte) error })
		var unknown runtime.Unknown
		if !ok || !can || unknown.Unmarshal([]byte(rest)) != nil || p.Unmarshal(unknown.Raw) != nil {
			return apierrors.NewBadRequest("the body of the request is no object in protobuf of kind " + kind)
		}
		into.GetObjectKind().SetGroupVersionKind(unknown.TypeMeta.GroupVersionKind())
	} else {
		if ct == yamlType {
			j, err := yaml.YAMLToJSON(body)
			if err != nil {
				return apierrors.NewBadRequest("the object provided is unrecognized: " + err.Error())
			}
			body = j
		}
		if err := json.Unmarshal(body, into); err != nil {
			return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", kind, apiVersion, kind, err))
		}
	}
	gvk := into.GetObjectKind().GroupVersionKind()
	if v, k := gvk.ToAPIVersionAndKind(); k != "" && k != kind || v != "" && v != apiVersion {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s", k, v, kind))
	}
	return nil
}
