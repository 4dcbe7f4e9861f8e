package core

import (
	"context"
	"fmt"
)

// KV returns a namespace's values; they are not to be modified. ErrNotFound if
// the namespace never held one.
func (r *Registry) KV(ctx context.Context, namespace string) (map[string]string, error) {
	return r.store.KV(ctx, namespace)
}

// PutKV stores a value (request code 100), durably when it returns.
func (r *Registry) PutKV(ctx context.Context, namespace, key, value string) error {
	switch {
	case namespace == "":
		return &FieldError{Field: "namespace", Reason: "is missing"}
	case key == "":
		return &FieldError{Field: "key", Reason: "is missing"}
	}
	if err := r.store.PutKV(ctx, namespace, key, value); err != nil {
		return fmt.Errorf("store %s/%s: %w", namespace, key, err)
	}
	return r.orderChanged(ctx, namespace, key)
}

// DeleteKV removes a key (request code 102), durably when it returns. A key
// that is not there is no error.
func (r *Registry) DeleteKV(ctx context.Context, namespace, key string) error {
	if err := r.store.DeleteKV(ctx, namespace, key); err != nil {
		return fmt.Errorf("delete %s/%s: %w", namespace, key, err)
	}
	return r.orderChanged(ctx, namespace, key)
}

// orderChanged raises the revision for the topic whose order configuration,
// which is a part of its route, has changed.
func (r *Registry) orderChanged(ctx context.Context, namespace, topic string) error {
	if namespace != OrderNamespace {
		return nil
	}
	if _, err := r.store.Raise(ctx, []Change{{Topics: []string{topic}}}); err != nil {
		return fmt.Errorf("raise the revision for %s: %w", topic, err)
	}
	return nil
}
