"""Reads an event file with TensorBoard's own package and prints "STEP TAG VALUE" lines: read_events.py FILE

Exit code 77: the package is not there.
"""
import sys

try:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
except ImportError:
    sys.exit(77)


def main():
    for event in LegacyEventFileLoader(sys.argv[1]).Load():
        for value in event.summary.value:
            print(event.step, value.tag, value.simple_value)


if __name__ == "__main__":
    main()
