package restart

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"warroom/internal/estate"
	"warroom/internal/plan"
)

// Every way in which a pod's specification consumes a Secret is found, with whether
// the value stays as it was when the pod started.
func TestUses(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	mount := func(name, sub string) []corev1.VolumeMount { return []corev1.VolumeMount{{Name: name, SubPath: sub}} }
	volume := func(name string) corev1.Volume {
		return corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}
	}
	env := corev1.EnvVar{Name: "P", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
	for name, c := range map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"env":      {corev1.PodSpec{Containers: []corev1.Container{{Env: []corev1.EnvVar{env}}}}, "s [env P] fixed=true"},
		"init env": {corev1.PodSpec{InitContainers: []corev1.Container{{Env: []corev1.EnvVar{env}}}}, "s [init env P] fixed=true"},
		"envFrom":  {corev1.PodSpec{Containers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}}}}, "s [envFrom] fixed=true"},
		"volume":   {corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v", "")}}, Volumes: []corev1.Volume{volume("s")}}, "s [volume] fixed=false"},
		"subPath":  {corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v", "x")}}, Volumes: []corev1.Volume{volume("s")}}, "s [subPath] fixed=true"},
		"both":     {corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: append(mount("v", "x"), mount("v", "")...)}}, Volumes: []corev1.Volume{volume("s")}}, "s [subPath volume] fixed=true"},
		"init volume": {corev1.PodSpec{InitContainers: []corev1.Container{{VolumeMounts: mount("v", "")}}, Containers: []corev1.Container{{}}, Volumes: []corev1.Volume{volume("s")}},
			"s [volume] fixed=true"},
		"sidecar volume": {corev1.PodSpec{InitContainers: []corev1.Container{{VolumeMounts: mount("v", ""), RestartPolicy: &always}}, Volumes: []corev1.Volume{volume("s")}},
			"s [volume] fixed=false"},
		"projected": {corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: mount("v", "")}}, Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}}}}}}, "s [projected] fixed=false"},
		"csi":  {corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{VolumeAttributes: map[string]string{"secretProviderClass": "c"}}}}}}, "class c [csi] fixed=true"},
		"pull": {corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "s"}}}, ""},
	} {
		var got []string
		for _, u := range usesOf(&c.spec) {
			text := fmt.Sprintf("%s %v fixed=%t", u.name, u.how, u.fixed)
			if u.class {
				text = "class " + text
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}

// Which Secrets are copies is told by ExternalSecrets that refer to the stored secret
// by name or ARN, and by SecretProviderClasses.
func TestCopies(t *testing.T) {
	w := newSim(t)
	p := w.process(w.config()).proc
	object := func(spec map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "e", "namespace": "prod"}, "spec": spec}}
	}
	data := func(key, property string) []any {
		return []any{map[string]any{"secretKey": "k", "remoteRef": map[string]any{"key": key, "property": property}}}
	}
	for name, c := range map[string]struct {
		spec map[string]any
		want string
	}{
		"by name":     {map[string]any{"data": data(secretID, "password"), "target": map[string]any{"name": "t"}}, "t map[k:password] frozen=false"},
		"by ARN":      {map[string]any{"data": data("arn:aws:secretsmanager:us-east-1:777000000001:secret:"+secretID+"-AbCdEf", "password")}, "e map[k:password] frozen=false"},
		"whole value": {map[string]any{"data": data(secretID, "")}, "e map[k:] frozen=false"},
		"extract":     {map[string]any{"dataFrom": []any{map[string]any{"extract": map[string]any{"key": secretID}}}}, "e map[] frozen=false"},
		"frozen":      {map[string]any{"data": data(secretID, "password"), "refreshInterval": "0"}, "e map[k:password] frozen=true"},
		"once":        {map[string]any{"data": data(secretID, "password"), "refreshPolicy": "CreatedOnce"}, "e map[k:password] frozen=true"},
		"another":     {map[string]any{"data": data(secretID+"2", "password")}, ""},
		"previous":    {map[string]any{"data": []any{map[string]any{"secretKey": "k", "remoteRef": map[string]any{"key": secretID, "version": "AWSPREVIOUS"}}}}, ""},
	} {
		f := &found{}
		p.external(f, "main", object(c.spec), []string{secretID})
		got := ""
		for _, d := range f.copies {
			got += fmt.Sprintf("%s %v frozen=%t", d.Name, d.Keys, d.Frozen)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	class := object(map[string]any{"parameters": map[string]any{"objects": "- objectName: \"" + secretID + "\"\n  objectType: secretsmanager\n"},
		"secretObjects": []any{map[string]any{"secretName": "synced"}}})
	if got := p.provided(class, []string{"x", secretID}); got != secretID {
		t.Errorf("a SecretProviderClass brings %q", got)
	}
	if got := synced(class); len(got) != 1 || got[0].name != "synced" {
		t.Errorf("%+v", got)
	}
	if got := p.provided(object(map[string]any{"parameters": map[string]any{"objects": "{[ no YAML"}}), []string{secretID}); got != "" {
		t.Errorf("what is no YAML brings %q", got)
	}
}

// An ExternalSecret that is behind is told to sync; an immutable Secret is not.
func TestWhatToDoAboutACopyThatIsBehind(t *testing.T) {
	yes := true
	p := &Procedure{}
	now := holding{version: "22222222-2222"}
	d := &duplicate{Secret: secretID, Cluster: "main", Namespace: "prod", Name: "db"}
	for _, c := range []struct {
		d    duplicate
		s    *corev1.Secret
		want string
	}{
		{*d, nil, "update the copy first"},
		{duplicate{External: "e", Namespace: "prod"}, nil, "annotate externalsecret e force-sync"},
		{duplicate{External: "e", Namespace: "prod", Frozen: true}, nil, "never refreshes"},
		{*d, &corev1.Secret{Immutable: &yes}, "immutable"},
	} {
		if err := p.behind(&c.d, now, "is behind", c.s); !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	value := func(name string) (estate.Secret, error) {
		if name == "port" {
			return estate.Secret{}, &estate.Failure{Kind: estate.BadSecret, Detail: "its key is not a string"}
		}
		return estate.NewSecret("new-" + name), nil
	}
	now.field, now.text = value, func() (estate.Secret, error) { return estate.NewSecret("whole"), nil }
	for name, c := range map[string]struct {
		keys  map[string]string
		data  map[string]string
		want  []string
		fails bool
	}{
		"same":         {map[string]string{"k": "password"}, map[string]string{"k": "new-password"}, nil, false},
		"other":        {map[string]string{"k": "password"}, map[string]string{"k": "old"}, []string{"k"}, false},
		"missing":      {map[string]string{"k": "password"}, nil, []string{"k"}, false},
		"whole":        {map[string]string{"k": ""}, map[string]string{"k": "whole"}, nil, false},
		"by its names": {nil, map[string]string{"password": "new-password", "port": "5432"}, nil, false},
		"none alike":   {nil, map[string]string{"port": "5432"}, nil, true},
		"no string":    {map[string]string{"k": "port"}, map[string]string{"k": "5432"}, nil, true},
	} {
		s := &corev1.Secret{Data: map[string][]byte{}}
		for k, v := range c.data {
			s.Data[k] = []byte(v)
		}
		got, err := differs(s, &duplicate{Keys: c.keys}, now)
		if !slices.Equal(got, c.want) || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Surges wait for each other where a quota has room for one; where it has none, and no
// pod may be away, the plan is refused.
func TestQuota(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	var all []string
	for i := range 4 {
		name := fmt.Sprintf("d%d", i)
		w.deployment(name, 1, func(d *appsv1.Deployment) {
			one, none := intstr.FromInt32(1), intstr.FromInt32(0)
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &one, MaxUnavailable: &none}}
		})
		all = append(all, "deployment/"+name)
	}
	w.stale(all...)
	quota := func(pods string) {
		t.Helper()
		q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods", Namespace: "prod"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: apiresource.MustParse(pods)}}}
		if _, err := w.api.CoreV1().ResourceQuotas("prod").Update(t.Context(), q, metav1.UpdateOptions{}); err != nil {
			_, err = w.api.CoreV1().ResourceQuotas("prod").Create(t.Context(), q, metav1.CreateOptions{})
			w.must(err)
		}
	}
	quota("4")
	_, err := w.process(w.config()).run(plan.Request{Target: secretID})
	if r := refused(t, err); !strings.Contains(r.Why, "pods: needs 1 more, 0 left") || !strings.Contains(r.Next, "maxUnavailable") {
		t.Errorf("%v", r)
	}
	quota("5")
	w.restarts(w.config(), plan.Request{Target: secretID})
	events, err := w.api.CoreV1().Events("prod").List(t.Context(), metav1.ListOptions{})
	w.must(err)
	for _, e := range events.Items {
		if e.Reason == "FailedCreate" {
			t.Errorf("the quota was exceeded: %s", e.Message)
		}
	}
	if lack := (room{"requests.cpu": 500}).lacks(extra(&workload{surge: 2, pod: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{"cpu": apiresource.MustParse("300m")}}}}}})); len(lack) != 1 || lack[0] != "requests.cpu: needs 600m more, 500m left" {
		t.Errorf("%v", lack)
	}
}

// A health endpoint decides whether a restarted service is well: it must answer 200,
// on the current version; and it tells that one needs no restart.
func TestHealth(t *testing.T) {
	var version, code atomic.Value
	version.Store("22222222-2222-4222-8222-222222222222")
	code.Store(200)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code.Load().(int))
		_, _ = fmt.Fprintf(w, `{"status":"ok","secret_version":%q}`, version.Load())
	}))
	t.Cleanup(s.Close)
	w := newSim(t)
	w.secret(newValue)
	// It reads its secret by itself: nothing in the cluster tells of the value.
	w.deployment("api", 1, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Env = nil })
	w.settled("deployment/api")
	w.holds(newValue) // as of now, which is after its pods were created
	cfg := w.config(w.application("deployment", "api", "health: {url: \""+s.URL+"\"}"))
	cfg.Recovery.Rollout = time.Second
	w.aws.Wait()
	_, err := w.process(cfg).run(plan.Request{Target: "api"})
	if r := refused(t, err); !strings.Contains(r.Why, "current version") && !strings.Contains(r.Why, "created after") {
		t.Errorf("%v", r)
	}
	version.Store("11111111-1111-4111-8111-111111111111")
	all := map[string]string{"all": "yes"}
	got, err := w.process(cfg).run(plan.Request{Target: "api", Options: all})
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "uses version 11111111…") {
		t.Errorf("%s: %s", got.State, got.Trouble)
	}
	version.Store("22222222-2222-4222-8222-222222222222")
	code.Store(503)
	got, err = w.process(cfg).run(plan.Request{Mode: plan.Resume, Of: got.Run})
	w.must(err)
	if got.State != plan.RunFailed || !strings.Contains(got.Trouble, "answers 503") {
		t.Errorf("%s: %s", got.State, got.Trouble)
	}
	code.Store(200)
	got = w.restarts(cfg, plan.Request{Mode: plan.Resume, Of: got.Run})
	if p := part(t, got, "api"); !strings.Contains(p.Detail, "answers 200 OK") {
		t.Errorf("%+v", p)
	}
}

// A value that the console's checks saw refused is warned of, and must be accepted.
func TestARefusedValueIsWarnedOf(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("api", 1, nil)
	w.stale("deployment/api")
	d := w.process(w.config())
	for version, warned := range map[string]bool{"22222222-2222-4222-8222-222222222222": true, "11111111-1111-4111-8111-111111111111": false} {
		s := estate.NewSnapshot(d.proc.topo, nil).With(estate.Observation{Key: estate.Key{Component: "db", Check: "login"}, At: time.Now(), Interval: time.Minute,
			Data: estate.Login{Secret: secretID, Version: version, Outcome: estate.LoginWrong}})
		r := estate.Derive(s, time.Now())
		d.proc.s.Readings = func() *estate.Readings { return r }
		p, err := d.Plan(t.Context(), plan.Request{Procedure: Name, Target: secretID})
		w.must(err)
		i := slices.IndexFunc(p.Warnings, func(w plan.Warning) bool {
			return w.ID == "refused" && w.Accept && strings.Contains(w.Text, "Database of "+secretID)
		})
		if (i >= 0) != warned {
			t.Errorf("version %s: %+v", version, p.Warnings)
		}
	}
}

// Without a permit nothing is changed, whatever calls it.
func TestNothingWithoutAPermit(t *testing.T) {
	w := newSim(t)
	w.secret(oldValue)
	w.deployment("api", 1, nil)
	w.stale("deployment/api")
	d := w.process(w.config())
	f, err := d.proc.search(t.Context(), []string{secretID}, "")
	w.must(err)
	j := &job{p: d.proc, Token: "t", Secrets: []string{secretID}, Ranks: [][]*member{f.members}, Copies: f.used()}
	err = j.do(t.Context(), silent{}, f.members)
	if err == nil || !strings.Contains(err.Error(), "nothing was sent") || w.marks(deployment, "api") != "" {
		t.Errorf("%v", err)
	}
}

type silent struct{}

func (silent) Say(string, string) {}
func (silent) Part(plan.Part)     {}
