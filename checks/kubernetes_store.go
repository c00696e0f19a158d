package checks

import (
	"errors"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// item is one object of a cluster, stripped of what is not used: its name, its
// identity and its version, and in what the little that readings need. Only items
// are kept; the object itself is let go of as soon as it was read.
type item struct {
	metav1.ObjectMeta // Name, Namespace, UID and ResourceVersion only
	what              any
}

// GetObjectKind satisfies runtime.Object.
func (*item) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject satisfies runtime.Object. What an item holds is never changed,
// so that copies may share it.
func (i *item) DeepCopyObject() runtime.Object {
	c := *i
	return &c
}

// items is a list of stripped objects.
type items struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject satisfies runtime.Object.
func (l *items) DeepCopyObject() runtime.Object {
	c := *l
	return &c
}

// mostItems bounds how many objects of one kind and namespace are kept.
const mostItems = 20_000

var errTooMany = errors.New("there are more objects of this kind in the namespace than can be kept")

// kubeStore holds what a watch keeps up to date. It satisfies cache.ReflectorStore.
type kubeStore struct {
	changed func() // called after each change, without the lock; must not block

	mu      sync.Mutex
	byName  map[string]*item
	synced  bool
	listed  time.Time // when all was last replaced by a list
	full    bool      // something is missing, because there was too much of it
	version uint64    // moves with every change
}

// Add satisfies cache.ReflectorStore.
func (s *kubeStore) Add(obj any) error {
	i, ok := obj.(*item)
	if !ok {
		return nil
	}
	s.mu.Lock()
	if _, there := s.byName[i.Name]; !there && len(s.byName) >= mostItems {
		s.full = true
		s.version++
		s.mu.Unlock()
		s.changed()
		return errTooMany
	}
	s.byName[i.Name] = i
	s.version++
	s.mu.Unlock()
	s.changed()
	return nil
}

// Update satisfies cache.ReflectorStore.
func (s *kubeStore) Update(obj any) error { return s.Add(obj) }

// Delete satisfies cache.ReflectorStore.
func (s *kubeStore) Delete(obj any) error {
	i, ok := obj.(*item)
	if !ok {
		return nil
	}
	s.mu.Lock()
	_, there := s.byName[i.Name]
	if there {
		delete(s.byName, i.Name)
		s.version++
	}
	s.mu.Unlock()
	if there {
		s.changed()
	}
	return nil
}

// Replace satisfies cache.ReflectorStore.
func (s *kubeStore) Replace(list []any, _ string) error {
	next := make(map[string]*item, len(list))
	for _, obj := range list {
		if i, ok := obj.(*item); ok && i.what != nil {
			next[i.Name] = i
		}
	}
	if len(next) > mostItems {
		return errTooMany
	}
	s.mu.Lock()
	s.byName, s.synced, s.listed, s.full = next, true, time.Now(), false
	s.version++
	s.mu.Unlock()
	s.changed()
	return nil
}

// Resync satisfies cache.ReflectorStore.
func (*kubeStore) Resync() error { return nil }

// get returns the object called name.
func (s *kubeStore) get(name string) (*item, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.byName[name]
	return i, ok
}

// of returns what is kept of the object called name, where it is a T.
func of[T any](s *kubeStore, name string) (what T, uid types.UID, ok bool) {
	if s == nil {
		return what, "", false
	}
	i, there := s.get(name)
	if !there {
		return what, "", false
	}
	what, ok = i.what.(T)
	return what, i.UID, ok
}

// each calls f with every object that is a T, until f returns false.
func each[T any](s *kubeStore, f func(i *item, what T) bool) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.byName {
		if what, ok := i.what.(T); ok && !f(i, what) {
			return
		}
	}
}
