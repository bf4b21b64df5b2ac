package io.gatun.models.template;

import io.gatun.models.template.Values.Dict;
import io.gatun.models.template.Values.Function;
import io.gatun.models.template.Values.Namespace;
import io.gatun.models.template.Values.Seq;
import io.gatun.models.template.Values.Undefined;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;

/// `object.name`, `object[key]` and `object[from:to:step]`.
final class Access {
  private Access() {}

  /// A method or field; else, of a mapping, the value of the key, as in Jinja.
  static Object attribute(Object object, String name, Run run) {
    Object found = field(object, name);
    if (found == null && object instanceof Dict dict) {
      return dict.get(Text.own(name));
    }
    return found == null ? missing(object, name) : unwrap(found);
  }

  /// The value of a key or index; else a method or field.
  static Object item(Object object, Object key, Run run) {
    run.charge(1);
    switch (object) {
      case Undefined undefined -> throw undefined.error();
      case Dict dict -> {
        Object value = dict.get(key);
        if (!(value instanceof Undefined)) {
          return value;
        }
      }
      case Seq seq when seq.isSequence() && isIndex(key) -> {
        int at = index(key, seq.items().size());
        return at < 0 ? new Undefined("list index out of range") : seq.items().get(at);
      }
      case Text text when isIndex(key) -> {
        int at = index(key, text.length());
        if (at < 0) {
          return new Undefined("string index out of range");
        }
        if (text.length() != text.chars().length()) {
          run.chargeChars(at);
        }
        return text.at(at);
      }
      case null, default -> {}
    }
    if (!(key instanceof Text name)) {
      return new Undefined(
          "%s has no element %s".formatted(Values.typeName(object), Values.named(key)));
    }
    Object found = field(object, name.chars());
    return found == null ? missing(object, name.chars()) : unwrap(found);
  }

  /// A field whose value is none.
  private static final Object NONE = new Object();

  private static Object unwrap(Object found) {
    return found == NONE ? null : found;
  }

  /// A method or field, or null.
  private static Object field(Object object, String name) {
    return switch (object) {
      case Undefined undefined -> throw undefined.error();
      case Text text -> TextMethods.find(text, name);
      case Seq seq -> ListMethods.find(seq, name);
      case Dict dict -> ListMethods.find(dict, name);
      case Namespace namespace -> present(namespace.fields(), name);
      case Function function -> present(function.fields(), name);
      case null, default -> null;
    };
  }

  private static Object present(java.util.Map<String, Object> fields, String name) {
    Object value = fields.get(name);
    return value == null && fields.containsKey(name) ? NONE : value;
  }

  private static Undefined missing(Object object, String name) {
    return new Undefined(
        "'%s object' has no attribute %s"
            .formatted(Values.typeName(object), Values.named(Text.own(name))));
  }

  private static boolean isIndex(Object key) {
    return Numbers.isInteger(key);
  }

  /// Counted from the end if negative; -1 if it is out of range.
  private static int index(Object key, int length) {
    if (key instanceof BigInteger) {
      return -1;
    }
    long index = Numbers.toInt(key, "index");
    long at = index < 0 ? index + length : index;
    return at < 0 || at >= length ? -1 : (int) at;
  }

  /// `object[start:stop:step]`; null where one is left out.
  static Object slice(Object object, Object start, Object stop, Object step, Run run) {
    if (object instanceof Undefined undefined) {
      throw undefined.error();
    }
    long by = step == null ? 1 : Numbers.toInt(step, "the step of a slice");
    if (by == 0) {
      throw new TemplateError("slice step cannot be zero");
    }
    int length =
        switch (object) {
          case Text text -> text.length();
          case Seq seq when seq.isSequence() -> seq.items().size();
          case null, default -> -1;
        };
    if (length < 0) {
      return new Undefined("%s has no slices".formatted(Values.typeName(object)));
    }
    long first = bound(start, by > 0 ? 0 : length - 1, length, by);
    long last = bound(stop, by > 0 ? length : -1, length, by);
    if (object instanceof Text text) {
      run.chargeChars(text.chars().length());
      return slice(text, (int) first, (int) last, by, run);
    }
    List<Object> items = ((Seq) object).items();
    var picked = new ArrayList<Object>();
    for (long i = first; by > 0 ? i < last : i > last; i += by) {
      run.charge(1);
      picked.add(items.get((int) i));
    }
    return new Seq(picked, ((Seq) object).kind());
  }

  private static Text slice(Text text, int first, int last, long by, Run run) {
    if (by == 1) {
      return first < last ? text.slice(first, last) : Text.EMPTY;
    }
    List<Object> points = Values.iterate(text, run);
    var out = new TextBuilder(run);
    for (long i = first; by > 0 ? i < last : i > last; i += by) {
      out.append((Text) points.get((int) i));
    }
    return out.build();
  }

  private static long bound(Object value, long otherwise, int length, long step) {
    if (value == null) {
      return otherwise;
    }
    long index = Numbers.toInt(value, "the bound of a slice");
    long at = index < 0 ? index + length : index;
    return step > 0 ? Math.clamp(at, 0, length) : Math.clamp(at, -1, length - 1);
  }
}
