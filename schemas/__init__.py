"""What crosses a border, validated: a module a border, marshmallow on each; load gives core types."""
