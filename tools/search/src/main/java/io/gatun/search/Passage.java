package io.gatun.search;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// A part of a document that was found, and where it stands.
///
/// @param source the document: the path of a file, or the name that a text was given
/// @param text what stands there
/// @param start the place of the first character (Java's) in the document's text: that of a text
///   file itself, of HTML without its tags, of a PDF page after page
/// @param end the place behind the last character
/// @param line the line of the text on which it begins, from 1
/// @param page the page of a PDF on which it begins, from 1; 0 for others
/// @param lastPage the page on which it ends
/// @param score how well it fits, the larger the better: the reranker's score if there was one,
///   else the sum of 1/(60 + rank) over the ways in which it was found
/// @param wordRank its place among what was found by words, from 1; 0 if it was not
/// @param vectorRank its place among what was found by vectors, from 1; 0 if it was not
public record Passage(
    String source,
    String text,
    int start,
    int end,
    int line,
    int page,
    int lastPage,
    double score,
    int wordRank,
    int vectorRank) {
  /// Where it stands, for people: `notes.txt:12`, `paper.pdf, page 3`, `paper.pdf, pages 3-4`.
  public String place() {
    if (page == 0) {
      return source + ":" + line;
    }
    return source + (page == lastPage ? ", page " + page : ", pages " + page + "-" + lastPage);
  }

  /// What it says and where, by the names that Gatun's JSON has for it; ranks and pages that it has
  /// not are left out.
  public SequencedMap<String, Object> fields() {
    var map = new LinkedHashMap<String, Object>();
    map.put("source", source);
    map.put("start", start);
    map.put("end", end);
    map.put("line", line);
    if (page > 0) {
      map.put("page", page);
      map.put("last_page", lastPage);
    }
    map.put("score", score);
    if (wordRank > 0) {
      map.put("word_rank", wordRank);
    }
    if (vectorRank > 0) {
      map.put("vector_rank", vectorRank);
    }
    map.put("text", text);
    return map;
  }

  Passage withScore(double value) {
    return new Passage(source, text, start, end, line, page, lastPage, value, wordRank, vectorRank);
  }
}
