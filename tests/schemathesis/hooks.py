"""What a JSON schema cannot say. A targeting key has at most 256 bytes; a schema counts characters, so 65 emoji are sound to it and a 400 `invalid-context`
to the service, as its contract says in words. Such keys are not generated; `tests/it/http/questions.rs` asks with them."""
import schemathesis

MAX_UNIT_BYTES = 256


def is_sayable(key):
    return not isinstance(key, str) or len(key) > MAX_UNIT_BYTES or len(key.encode("utf-8", "surrogatepass")) <= MAX_UNIT_BYTES


@schemathesis.hook
def filter_body(context, body):
    questions = [body, body.get("context")] if isinstance(body, dict) else []
    return all(is_sayable(question.get("targetingKey")) for question in questions if isinstance(question, dict))
