package restart

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// use is one Secret, or one SecretProviderClass, that a pod template consumes.
type use struct {
	name  string
	class bool     // name is of a SecretProviderClass
	how   []string // env, envFrom, volume, subPath, projected, csi, imagePull; with init before those of init containers
	fixed bool     // some container keeps the value that it started with
}

// usesOf lists what a pod's specification consumes, in the order in which it comes.
// Image pull secrets are left out: they are used anew for each pull.
func usesOf(spec *corev1.PodSpec) []use {
	var out []use
	note := func(name, how string, class, fixed bool) {
		if name == "" {
			return
		}
		i := slices.IndexFunc(out, func(u use) bool { return u.name == name && u.class == class })
		if i < 0 {
			out, i = append(out, use{name: name, class: class}), len(out)
		}
		if !slices.Contains(out[i].how, how) {
			out[i].how = append(out[i].how, how)
		}
		out[i].fixed = out[i].fixed || fixed
	}
	// mounted tells how the containers mount a volume: whether one does by subPath,
	// which never follows a change, and whether one does otherwise.
	mounted := func(volume string) (sub, whole bool) {
		look := func(mounts []corev1.VolumeMount) {
			for _, m := range mounts {
				if m.Name == volume {
					isSub := m.SubPath != "" || m.SubPathExpr != ""
					sub, whole = sub || isSub, whole || !isSub
				}
			}
		}
		for i := range spec.Containers {
			look(spec.Containers[i].VolumeMounts)
		}
		for i := range spec.InitContainers {
			look(spec.InitContainers[i].VolumeMounts)
		}
		return sub, whole
	}
	environment := func(prefix string, env []corev1.EnvVar, from []corev1.EnvFromSource) {
		for _, e := range env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				note(e.ValueFrom.SecretKeyRef.Name, prefix+"env "+e.Name, false, true)
			}
		}
		for _, e := range from {
			if e.SecretRef != nil {
				note(e.SecretRef.Name, prefix+"envFrom", false, true)
			}
		}
	}
	for i := range spec.InitContainers {
		environment("init ", spec.InitContainers[i].Env, spec.InitContainers[i].EnvFrom)
	}
	for i := range spec.Containers {
		environment("", spec.Containers[i].Env, spec.Containers[i].EnvFrom)
	}
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		file := func(name, how string) {
			sub, whole := mounted(v.Name)
			if sub {
				note(name, "subPath", false, true)
			}
			if whole || !sub {
				note(name, how, false, initOnly(spec, v.Name))
			}
		}
		switch {
		case v.Secret != nil:
			file(v.Secret.SecretName, "volume")
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					file(source.Secret.Name, "projected")
				}
			}
		case v.CSI != nil:
			note(v.CSI.VolumeAttributes["secretProviderClass"], "csi", true, true)
			if v.CSI.NodePublishSecretRef != nil {
				note(v.CSI.NodePublishSecretRef.Name, "csi", false, true)
			}
		}
	}
	return out
}

// initOnly reports whether only init containers that end mount a volume: what they
// read of it, they read once.
func initOnly(spec *corev1.PodSpec, volume string) bool {
	has := func(mounts []corev1.VolumeMount) bool {
		return slices.ContainsFunc(mounts, func(m corev1.VolumeMount) bool { return m.Name == volume })
	}
	found := false
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if !has(c.VolumeMounts) {
			continue
		}
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			return false
		}
		found = true
	}
	for i := range spec.Containers {
		if has(spec.Containers[i].VolumeMounts) {
			return false
		}
	}
	return found
}
