#!/usr/bin/env python3
"""What the documents link to inside the tree is there. Usage: links.py ROOT"""
import glob
import os
import re
import sys

ROOT = sys.argv[1]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def main():
    documents = [path for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md")
                 for path in glob.glob(os.path.join(ROOT, pattern), recursive=True)]
    faults = []
    for path in sorted(documents):
        with open(path, encoding="utf-8") as text:
            for number, line in enumerate(text, 1):
                for target in LINK.findall(line):
                    if not os.path.exists(os.path.join(os.path.dirname(path), target)):
                        faults.append(f"{os.path.relpath(path, ROOT)}:{number}: {target} is not there")
    print("\n".join(faults))
    print(f"{len(documents)} documents, {len(faults)} faults")
    return 1 if faults or not documents else 0


if __name__ == "__main__":
    sys.exit(main())
